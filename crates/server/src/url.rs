//! Parameters of a URL become a question. What nobody knows is refused, never left out.

use sealtrail_event::known;

use crate::params::{Condition, Order, Question, Scalar, wrong};
use crate::refusal::Refusal;

/// 256 parameters.
const PAIRS_MAX: usize = 256;

/// Flags of the command line that are no fields, and the fields that they mean.
const FLAGS: &[(&str, &str)] = &[("tool", "tool_name"), ("sensitivity_level", "sensitivity_level")];

/// Reads the parameters of `GET /v1/events`.
pub(crate) fn question(query: &str) -> Result<Question, Refusal> {
    let mut question = Question::default();
    for (name, value) in pairs(query)? {
        let single = |slot: &mut Option<String>| match slot.replace(value.clone()) {
            None => Ok(()),
            Some(_) => Err(wrong(&name, "it is given twice")),
        };
        match name.as_str() {
            "q" => single(&mut question.query)?,
            "since" => single(&mut question.since)?,
            "until" => single(&mut question.until)?,
            "cursor" => single(&mut question.cursor)?,
            "order_by" => single(&mut question.order_by)?,
            "order" => {
                question.order = Some(match value.as_str() {
                    "newest" => Order::Newest,
                    "oldest" => Order::Oldest,
                    _ => return Err(wrong("order", "write newest or oldest")),
                });
            }
            "limit" => question.limit = Some(value.parse().map_err(|_| wrong("limit", "it must be a whole number"))?),
            "fields" => question.fields.extend(value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)),
            "proof" => question.proof = truth("proof", &value)?,
            "bookkeeping" => question.bookkeeping = truth("bookkeeping", &value)?,
            field => condition(&mut question, field, value)?,
        }
    }
    Ok(question)
}

/// Reads the parameters of a path whose only one is `proof`.
pub(crate) fn proof(query: &str) -> Result<bool, Refusal> {
    let mut proof = false;
    for (name, value) in pairs(query)? {
        if name != "proof" {
            return Err(wrong(&name, "there is no such parameter; this path has proof"));
        }
        proof = truth("proof", &value)?;
    }
    Ok(proof)
}

/// Refuses parameters where there are none.
pub(crate) fn nothing(query: &str) -> Result<(), Refusal> {
    match pairs(query)?.first() {
        None => Ok(()),
        Some((name, _)) => Err(wrong(name, "there is no such parameter; this path has none")),
    }
}

fn condition(question: &mut Question, name: &str, value: String) -> Result<(), Refusal> {
    let flag = FLAGS.iter().find(|(flag, _)| *flag == name).map(|(_, field)| *field);
    let field =
        flag.or(known(name).map(|_| name)).ok_or_else(|| wrong(name, "there is no such parameter, and no such field of an event"))?;
    let values = question.conditions.entry(field.to_owned()).or_insert_with(|| Condition::Any(Vec::new()));
    if let Condition::Any(values) = values {
        values.push(Scalar::Text(value));
    }
    Ok(())
}

fn truth(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(name, "write true or false")),
    }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().take(PAIRS_MAX + 1).collect();
    if pairs.len() > PAIRS_MAX {
        return Err(wrong("parameters", format!("at most {PAIRS_MAX}")));
    }
    Ok(pairs)
}
