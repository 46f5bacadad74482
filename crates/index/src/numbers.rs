//! Tests on columns of numbers and of moments.

use jiff::Timestamp;
use sealtrail_query::{Bound, Operand, Order, Test};
use tantivy::columnar::Column;

use crate::bits::Bits;
use crate::judge::Judge;
use crate::literals::exact;
use crate::segment::{NumberColumn, add_present, add_range};
use crate::values::each;

/// One document in 8 or fewer: their numbers are looked up one by one, instead of the whole column.
const FEW: u64 = 8;

/// Adds the documents whose number passes the test to `yes`, and those of which only the event can tell to `unsure`; all that are `wanted`.
pub(crate) fn add_numbers(column: &NumberColumn, test: &Test, wanted: Option<&Bits>, judge: &mut Judge, yes: &mut Bits, unsure: &mut Bits) {
    let docs = yes.len();
    match test {
        Test::Compare(order, Bound::Number(_)) => {
            let few = wanted.filter(|wanted| wanted.count() * FEW < u64::from(docs));
            match (range_of(column, *order, judge), few) {
                (Some(range), Some(few)) => each(&column.bits, few, |doc, bits| {
                    if range.contains(&bits) {
                        yes.insert(doc);
                    }
                }),
                (Some(range), None) => add_range(&column.bits, range, docs, yes),
                (None, _) => {}
            }
        }
        Test::Compare(..) | Test::Exists => {}
        Test::Is(operand) | Test::Has(operand) => add_operand(column, operand, judge, yes, unsure),
        Test::In(operands) => operands.iter().for_each(|operand| add_operand(column, operand, judge, yes, unsure)),
        // A pattern looks at the number as it was written, which a column does not keep.
        Test::Matches(_) => add_present(&column.bits, unsure),
    }
}

/// Adds the documents whose number is the one that an operand says.
fn add_operand(column: &NumberColumn, operand: &Operand, judge: &mut Judge, yes: &mut Bits, unsure: &mut Bits) {
    let Some(text) = exact(operand) else { return add_present(&column.bits, unsure) };
    let Some(bits) = text.parse::<f64>().ok().and_then(|number| column.bits_of(number)) else { return };
    if judge.number(column.number(bits)) {
        add_range(&column.bits, bits..=bits, yes.len(), yes);
    }
}

/// Returns the numbers of a column that pass a comparison, which are those up to a bound or from a bound on.
fn range_of(column: &NumberColumn, order: Order, judge: &mut Judge) -> Option<std::ops::RangeInclusive<u64>> {
    let (min, max) = (column.bits.min_value(), column.bits.max_value());
    let below = matches!(order, Order::Less | Order::LessOrEqual);
    // The first one from `min` on for which the judgement is another than for small numbers.
    let (mut low, mut high) = (min, max.checked_add(1)?);
    while low < high {
        let middle = low + (high - low) / 2;
        if judge.number(column.number(middle)) == below {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    match below {
        true => (low > min).then(|| min..=low - 1),
        false => (low <= max).then_some(low..=max),
    }
}

/// Adds the documents whose moment passes a comparison.
pub(crate) fn add_times(column: &Column<i64>, order: Order, bound: Timestamp, yes: &mut Bits) {
    let (ns, docs) = (bound.as_nanosecond(), yes.len());
    // A column holds moments of 1677 to 2262; a bound outside lies before or after all of them.
    let Ok(at) = i64::try_from(ns) else {
        let all = (ns < 0) == matches!(order, Order::Greater | Order::GreaterOrEqual);
        if all {
            add_present(column, yes);
        }
        return;
    };
    let range = match order {
        Order::Less => match at.checked_sub(1) {
            Some(last) => i64::MIN..=last,
            None => return,
        },
        Order::LessOrEqual => i64::MIN..=at,
        Order::Greater => match at.checked_add(1) {
            Some(first) => first..=i64::MAX,
            None => return,
        },
        Order::GreaterOrEqual => at..=i64::MAX,
    };
    if *range.start() <= column.min_value() && *range.end() >= column.max_value() {
        return add_present(column, yes);
    }
    add_range(column, range, docs, yes);
}
