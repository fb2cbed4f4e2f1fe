//! What a report must say.

use serde_json::Value;
use std::collections::BTreeMap;

/// How many cases the chosen sections have: fewer would prove less, more would be unknown ones.
const CASES: usize = 301;

/// Cases where the standard leaves open what happens: a Close right behind a long message (7.1.6),
/// and close codes of 5000 and above (7.13).
const INFORMATIONAL: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

/// Counts the verdicts in an index; `Err` unless it is all of them and each is what it must be.
pub(crate) fn judge(index: &str) -> Result<String, String> {
    let index: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(index).map_err(|error| format!("the report is no index: {error}"))?;
    let [cases] = index.values().collect::<Vec<_>>()[..] else {
        return Err(format!("a report of {} agents, not of one", index.len()));
    };
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut wrong = Vec::new();
    for (id, case) in cases {
        let [behavior, close] = ["behavior", "behaviorClose"]
            .map(|name| case.get(name).and_then(Value::as_str).unwrap_or("absent"));
        *counts.entry(behavior).or_default() += 1;
        let expected = if INFORMATIONAL.contains(&id.as_str()) { "INFORMATIONAL" } else { "OK" };
        if [behavior, close] != [expected; 2] {
            wrong.push(format!("{id}: {behavior}, closing {close}"));
        }
    }
    let counts = counts.iter().map(|(behavior, count)| format!("{count} {behavior}"));
    let summary = format!("{} cases: {}", cases.len(), counts.collect::<Vec<_>>().join(", "));
    if !INFORMATIONAL.iter().all(|id| cases.contains_key(*id)) {
        wrong.push(format!("one of {INFORMATIONAL:?} is missing"));
    }
    if cases.len() != CASES {
        wrong.push(format!("there must be {CASES} cases"));
    }
    if wrong.is_empty() { Ok(summary) } else { Err(format!("{summary}\n{}", wrong.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An index in which everything is as it must be.
    fn cases() -> BTreeMap<String, Value> {
        let verdict = |word: &str| json!({ "behavior": word, "behaviorClose": word });
        let ok = (1..=CASES - 3).map(|case| (format!("1.1.{case}"), verdict("OK")));
        let open = INFORMATIONAL.map(|id| (id.to_owned(), verdict("INFORMATIONAL")));
        ok.chain(open).collect()
    }

    fn judged(cases: &BTreeMap<String, Value>) -> Result<String, String> {
        judge(&json!({ "agent": cases }).to_string())
    }

    #[test]
    fn judge_of_a_perfect_report_counts() {
        assert_eq!(judged(&cases()).unwrap(), "301 cases: 3 INFORMATIONAL, 298 OK");
    }

    #[test]
    fn judge_of_a_blemish_names_it() {
        for (name, word) in
            [("behavior", "NON-STRICT"), ("behavior", "FAILED"), ("behaviorClose", "UNCLEAN")]
        {
            let mut cases = cases();
            cases.get_mut("1.1.7").unwrap()[name] = json!(word);
            let complaint = judged(&cases).unwrap_err();
            assert!(complaint.contains("1.1.7: ") && complaint.contains(word), "{complaint}");
        }
    }

    #[test]
    fn judge_of_too_few_or_too_many_cases_fails() {
        let mut cases = cases();
        let one = cases.remove("1.1.7").unwrap();
        assert!(judged(&cases).unwrap_err().starts_with("300 cases"));
        cases.insert("1.1.7".to_owned(), one.clone());
        cases.insert("11.1.1".to_owned(), one.clone());
        assert!(judged(&cases).unwrap_err().starts_with("302 cases"));
        // The right number of them, with one of those that matter replaced.
        cases.remove("7.1.6");
        assert!(judged(&cases).unwrap_err().contains("missing"));
    }

    #[test]
    fn judge_of_no_agent_or_two_or_nothing_fails() {
        let cases = cases();
        for index in [json!({}), json!({ "a": cases, "b": cases }), json!([])] {
            assert!(judge(&index.to_string()).is_err());
        }
        assert!(judge("").is_err());
    }
}
