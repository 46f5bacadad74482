//! A condition on a field, or on the text, answered by one segment.

use sealtrail_event::Kind;
use sealtrail_query::{Bound, Expr, FieldPath, Operand, Required, Test};

use crate::bits::Bits;
use crate::class::{Class, KEY_BYTES_MAX, TEXT_KEYS, WORD_BYTES_MAX, class_of, is_text, root_of};
use crate::error::IndexError;
use crate::found::Found;
use crate::judge::Judge;
use crate::literals::{exact, prefix, required};
use crate::numbers::{add_numbers, add_times};
use crate::places::{Place, places};
use crate::plan::{Cancel, go_on};
use crate::segment::{Segment, add_present};
use crate::term::{LONG, Tag, WHOLE, after, hash, term};

/// 200,000 texts of one path and segment are judged, each against a list of up to eight; of more, the events are looked at.
const JUDGED_MAX: usize = 200_000;
/// 2,000 candidates by trigrams: so few are looked at sooner than the dictionary is judged.
const FEW: u64 = 2_000;

/// A test of a field.
pub(crate) struct FieldLeaf {
    pub(crate) field: FieldPath,
    pub(crate) test: Test,
    /// The field without items of lists: it judges a value that stands for itself.
    judged: FieldPath,
    places: Vec<Place>,
    outcome: Option<Place>,
    /// The texts that the test asks for, when it asks for texts as they are.
    exact: Option<Vec<String>>,
    /// What every matching text begins with.
    prefix: String,
    literals: Option<Vec<Required>>,
}

/// What is collected on the way.
struct Sums {
    yes: Bits,
    unsure: Bits,
}

impl FieldLeaf {
    pub(crate) fn new(field: &FieldPath, test: &Test) -> Self {
        // A status that no record said is looked for in the outcome, where it is a text and in no list.
        let means = matches!(test, Test::Is(_) | Test::In(_) | Test::Has(_)) && matches!(field.canonical(), "status" | "result.status");
        let outcome = means.then(|| Place::new("outcome", false));
        let prefix = prefix(test);
        let whole = field.paths().last().filter(|_| field.has_items()).and_then(|path| FieldPath::parse(path).ok());
        let judged = whole.unwrap_or_else(|| field.clone());
        Self {
            field: field.clone(),
            test: test.clone(),
            judged,
            places: places(field),
            outcome,
            exact: exact_texts(field, test),
            prefix,
            literals: required(test),
        }
    }

    /// Whether the test asks for texts as they are.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    pub(crate) fn rank(&self) -> u8 {
        match (&self.exact, &self.test) {
            // Most segments lie on one side of a moment, which their first and last time tell.
            (None, Test::Compare(_, Bound::Time(_))) => 0,
            (Some(_), _) => 1,
            _ => 2,
        }
    }

    /// Of documents that are not `wanted` anything may be said.
    pub(crate) fn answer(&self, segment: &Segment, wanted: Option<&Bits>, cancel: &Cancel) -> Result<Found, IndexError> {
        let mut sums = Sums { yes: Bits::none(segment.docs), unsure: Bits::none(segment.docs) };
        for place in &self.places {
            go_on(cancel)?;
            match &self.test {
                Test::Exists => exists(segment, &place.flat, &mut sums)?,
                _ => self.at(segment, place, wanted, &mut sums, cancel)?,
            }
        }
        if let Some(outcome) = &self.outcome {
            let mut bare = Sums { yes: Bits::none(segment.docs), unsure: Bits::none(segment.docs) };
            self.at(segment, outcome, wanted, &mut bare, cancel)?;
            let mut listed = Bits::none(segment.docs);
            segment.add_term(&term(&outcome.flat, Tag::Container, b""), &mut listed)?;
            listed.and(&bare.yes);
            bare.yes.minus(&listed);
            sums.yes.or(&bare.yes);
            sums.unsure.or(&listed);
            sums.unsure.or(&bare.unsure);
        }
        segment.add_term(WHOLE, &mut sums.unsure)?;
        let Sums { yes, unsure } = sums;
        if self.field.has_items() {
            // The index does not know which item of a list a value is of.
            return Ok(Found::new(Bits::none(segment.docs), Found::new(yes, unsure).maybe));
        }
        Ok(Found::new(yes, unsure))
    }

    /// Adds the documents of one place.
    fn at(&self, segment: &Segment, place: &Place, wanted: Option<&Bits>, sums: &mut Sums, cancel: &Cancel) -> Result<(), IndexError> {
        let mut judge = Judge::new(&self.judged, &self.test, &place.path, place.sent);
        self.texts(segment, place, &mut judge, sums, cancel)?;
        for tag in [Tag::Number, Tag::Bool, Tag::Null] {
            let all = judge_range(segment, &term(&place.flat, tag, b""), self.most(), &mut sums.yes, cancel, |value| match tag {
                Tag::Number => judge.number(value.parse().ok()),
                Tag::Bool => judge.value((value == "1").into()),
                _ => judge.value(serde_json::Value::Null),
            })?;
            if !all {
                sums.unsure = Bits::all(segment.docs);
            }
        }
        let columns = segment.columns(&place.flat)?;
        if let Some(numbers) = &columns.numbers {
            add_numbers(numbers, &self.test, wanted, &mut judge, &mut sums.yes, &mut sums.unsure);
        }
        if class_of(&place.flat) == Class::Time
            && let Test::Compare(order, Bound::Time(bound)) = &self.test
        {
            let times = if place.flat == "timestamp" { Some(segment.ts.clone()) } else { columns.times };
            if let Some(times) = times {
                add_times(&times, *order, *bound, &mut sums.yes);
            }
            return Ok(());
        }
        self.unknown(segment, place, sums)
    }

    /// Adds the documents whose texts the dictionary has.
    fn texts(&self, segment: &Segment, place: &Place, judge: &mut Judge, sums: &mut Sums, cancel: &Cancel) -> Result<(), IndexError> {
        if let Some(texts) = &self.exact {
            for text in texts {
                segment.add_key(&place.flat, text, &mut sums.yes)?;
            }
            return Ok(());
        }
        let by_grams = match (&self.literals, self.has_grams(place) && class_of(&place.flat) == Class::Word) {
            (Some(literals), true) => with_literals(segment, literals)?,
            _ => None,
        };
        if let Some(few) = by_grams.as_ref().filter(|found| found.count() <= FEW) {
            sums.unsure.or(few);
            return Ok(());
        }
        let range = term(&place.flat, Tag::Text, self.prefix.as_bytes());
        if !judge_range(segment, &range, self.most(), &mut sums.yes, cancel, |text| judge.text(text))? {
            sums.unsure.or(&by_grams.unwrap_or_else(|| Bits::all(segment.docs)));
        }
        Ok(())
    }

    /// Adds the documents whose texts the dictionary does not have.
    fn unknown(&self, segment: &Segment, place: &Place, sums: &mut Sums) -> Result<(), IndexError> {
        let class = class_of(&place.flat);
        if let Some(texts) = &self.exact {
            let short =
                |text: &String| class == Class::Word && text.len() <= WORD_BYTES_MAX || class == Class::Key && text.len() <= KEY_BYTES_MAX;
            if class == Class::Id {
                return texts.iter().try_for_each(|text| segment.add_term(&term(&place.flat, Tag::Hash, &hash(text)), &mut sums.unsure));
            }
            if texts.iter().all(short) {
                return Ok(());
            }
        }
        let mut unknown = Bits::none(segment.docs);
        segment.add_term(&term(&place.flat, Tag::Unknown, b""), &mut unknown)?;
        if let (Some(literals), true) = (&self.literals, self.has_grams(place) && !unknown.is_empty())
            && let Some(found) = with_literals(segment, literals)?
        {
            unknown.and(&found);
        }
        sums.unsure.or(&unknown);
        Ok(())
    }

    /// Returns how many values are judged at most: fewer when each is compared with a long list.
    fn most(&self) -> usize {
        let list = if let Test::In(operands) = &self.test { operands.len() } else { 1 };
        JUDGED_MAX / list.div_ceil(8).max(1)
    }

    /// Whether the texts at a place are in the trigrams.
    fn has_grams(&self, place: &Place) -> bool {
        !place.sent && is_text(root_of(&place.flat)) && !self.has_meaning()
    }

    /// Whether words may match that have nothing in common with the operand.
    fn has_meaning(&self) -> bool {
        self.field.is_status() || matches!(self.field.kind(), Some(Kind::Severity | Kind::Class | Kind::EventType | Kind::Address))
    }
}

/// Returns the texts that a test asks for, when each is asked for as it is and no other word means the same.
fn exact_texts(field: &FieldPath, test: &Test) -> Option<Vec<String>> {
    let operands = match test {
        Test::Is(operand) => std::slice::from_ref(operand),
        Test::In(operands) => operands,
        _ => return None,
    };
    let plain = |text: &&str| match field.kind() {
        _ if field.is_status() => false,
        Some(Kind::Severity | Kind::Class | Kind::EventType) => false,
        Some(Kind::Address) => text.parse::<std::net::IpAddr>().is_err(),
        _ => true,
    };
    operands.iter().map(|operand| exact(operand).filter(plain).map(str::to_owned)).collect()
}

/// Judges every value of a range of terms; `false` when there are too many of them.
fn judge_range(
    segment: &Segment,
    range: &[u8],
    most: usize,
    yes: &mut Bits,
    cancel: &Cancel,
    mut judge: impl FnMut(&str) -> bool,
) -> Result<bool, IndexError> {
    let terms = segment.words.terms().range().ge(range).lt(after(range)).into_stream();
    let mut terms = terms.map_err(|error| segment.damaged(error))?;
    let mut judged = 0;
    while let Some((term, info)) = terms.next() {
        judged += 1;
        if judged % 4_096 == 0 {
            go_on(cancel)?;
        }
        if judged > most {
            return Ok(false);
        }
        let value = term.iter().position(|byte| *byte == 0).and_then(|end| term.get(end + 2..)).unwrap_or_default();
        if std::str::from_utf8(value).is_ok_and(&mut judge) {
            segment.add_postings(info, yes)?;
        }
    }
    Ok(true)
}

/// Returns the documents that have the literals of one of the alternatives; `None` when these say nothing.
fn with_literals(segment: &Segment, alternatives: &[Required]) -> Result<Option<Bits>, IndexError> {
    // 64 alternatives: each costs a few lookups.
    if alternatives.len() > 64 {
        return Ok(None);
    }
    let mut sum = Bits::none(segment.docs);
    for literals in alternatives {
        let mut found: Option<Bits> = None;
        for texts in literals {
            let Some(with) = segment.with_any_text(texts)? else { continue };
            found = Some(match found {
                Some(mut found) => {
                    found.and(&with);
                    found
                }
                None => with,
            });
        }
        let Some(found) = found else { return Ok(None) };
        sum.or(&found);
    }
    segment.add_term(LONG, &mut sum)?;
    Ok(Some(sum))
}

/// Adds the documents that have anything but null at a path.
fn exists(segment: &Segment, path: &str, sums: &mut Sums) -> Result<(), IndexError> {
    let columns = segment.columns(path)?;
    for tag in [Tag::Number, Tag::Bool, Tag::Container, Tag::Unknown, Tag::Text] {
        if tag == Tag::Text && class_of(path) == Class::Key {
            continue;
        }
        segment.add_range(&term(path, tag, b""), &mut sums.yes)?;
    }
    if let Some(keys) = &columns.keys {
        add_present(keys.ords(), &mut sums.yes);
    }
    if let Some(numbers) = &columns.numbers {
        add_present(&numbers.bits, &mut sums.yes);
    }
    Ok(())
}

/// Free text.
pub(crate) struct TextLeaf {
    pub(crate) operand: Operand,
    literals: Required,
}

impl TextLeaf {
    pub(crate) fn new(operand: &Operand) -> Self {
        Self { operand: operand.clone(), literals: operand.required_literals() }
    }

    pub(crate) fn answer(&self, segment: &Segment, cancel: &Cancel) -> Result<Found, IndexError> {
        let mut yes = Bits::none(segment.docs);
        for path in TEXT_KEYS.iter() {
            let mut judge = Judge::of(Expr::Text(self.operand.clone()), root_of(path), false);
            if !judge_range(segment, &term(path, Tag::Text, b""), JUDGED_MAX, &mut yes, cancel, |text| judge.text(text))? {
                return Ok(Found::new(yes, Bits::all(segment.docs)));
            }
        }
        let mut unsure = match with_literals(segment, std::slice::from_ref(&self.literals))? {
            Some(found) => found,
            None => Bits::all(segment.docs),
        };
        segment.add_term(WHOLE, &mut unsure)?;
        Ok(Found::new(yes, unsure))
    }
}
