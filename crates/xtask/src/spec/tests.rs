use super::*;

/// `ID` stands for the beginning of an identifier, so that this file cites nothing itself.
fn source(text: &str) -> Vec<Citation> {
    citations("a.rs", &text.replace("ID", "MQTT"))
}

/// Version, number and test of each citation.
fn claims(text: &str) -> Vec<(&'static str, String, Option<String>)> {
    let of = |it: Citation| (it.version.name(), it.id.replace("MQTT-", ""), it.test);
    source(text).into_iter().map(of).collect()
}

fn table_of(version: Version, lines: &str) -> Table {
    let text = format!("id\twording\treason\n{lines}").replace("ID", "MQTT");
    Table { version, statements: statements(&text).unwrap() }
}

fn found(table: Table, text: &str) -> Vec<String> {
    problems(&[table], &source(text))
}

#[test]
fn statement_without_test_and_reason_is_a_problem() {
    let tables = |lines| table_of(Version::V5, lines);
    let expected = ["5.0 MQTT-1.1-1: neither a test nor a reason: words"];
    assert_eq!(found(tables("ID-1.1-1\twords"), ""), expected);
    let cited = "/// [ID-1.1-1]\nfn helper() {}\n// [ID-1.1-1]";
    assert_eq!(found(tables("ID-1.1-1\twords"), cited), expected, "no test cites it");
    let older = "/// v3.1.1: [ID-1.1-1]\n#[test]\nfn t() {}";
    assert_eq!(found(tables("ID-1.1-1\twords"), older)[0], expected[0], "another version's");
    let proved = "/// [ID-1.1-1]\n#[test]\nfn t() {}";
    assert_eq!(found(tables("ID-1.1-1\twords"), proved), [""; 0]);
    assert_eq!(found(tables("ID-1.1-1\twords\tserver: this"), ""), [""; 0]);
}

#[test]
fn statement_with_both_test_and_reason_is_a_problem() {
    let table = || table_of(Version::V3, "ID-1.1-1\twords\tserver: this");
    let text = "/// v3.1.1: [ID-1.1-1]\n#[test]\nfn t() {}";
    assert_eq!(found(table(), text), ["3.1.1 MQTT-1.1-1: has a reason, and a test: a.rs::t"]);
    assert_eq!(found(table(), "// v3.1.1: [ID-1.1-1] Why it is so."), [""; 0]);
}

#[test]
fn citation_of_an_unknown_statement_is_a_problem_anywhere() {
    let table = || table_of(Version::V5, "ID-1.1-1\twords\tserver: this");
    let expected = ["a.rs:2: MQTT 5.0 has no MQTT-1.1-2"];
    for text in ["\n/// [ID-1.1-2]\n#[test]\nfn t() {}", "\n//! [ID-1.1-2]", "\nx; // [ID-1.1-2]"] {
        assert_eq!(found(table(), text), expected, "{text}");
    }
    let older = found(table(), "// [ID-1.1-1] v3.1.1: [ID-1.1-1]");
    assert_eq!(older, ["a.rs:1: MQTT 3.1.1 has no MQTT-1.1-1"]);
    assert_eq!(found(table(), "let text = \"[ID-1.1-2]\";"), [""; 0], "no comment");
}

#[test]
fn test_claims_what_the_first_paragraph_of_its_doc_comment_cites() {
    let five = |id: &str| ("5.0", id.to_owned(), Some("a.rs::t".to_owned()));
    for text in [
        "/// [ID-1.1-1] [ID-1.1-2]\n#[test]\nfn t() {",
        "    /// [ID-1.1-1]\n    /// [ID-1.1-2], why.\n    #[test]\n    fn t() {",
        "/// [ID-1.1-1] [ID-1.1-2]\n#[tokio::test(flavor = \"x\")]\nasync fn t() {",
        "#[test]\n/// [ID-1.1-1] [ID-1.1-2]\n#[cfg(all(\n    unix,\n))]\n// Why.\nfn t<T>() {",
    ] {
        assert_eq!(claims(text), [five("1.1-1"), five("1.1-2")], "{text}");
    }
    let text = "/// [ID-1.1-1]\n///\n/// Not\n/// [ID-1.1-2].\n#[test]\nfn t() {";
    assert_eq!(claims(text), [five("1.1-1"), ("5.0", "1.1-2".to_owned(), None)]);
    let text = "/// [ID-1.1-1], v3.1.1: [ID-1.1-2]\n/// [ID-1.1-3]\n#[test]\nfn t() {";
    let older = ("3.1.1", "1.1-2".to_owned(), Some("a.rs::t".to_owned()));
    assert_eq!(claims(text), [five("1.1-1"), older, five("1.1-3")]);
}

#[test]
fn test_claims_nothing_of_what_stands_elsewhere() {
    for text in [
        "/// [ID-1.1-1]\nconst A: u8 = 1;\n#[test]\nfn t() {",
        "/// [ID-1.1-1]\nfn helper() {\n}\n#[test]\nfn t() {",
        "/// [ID-1.1-1]\n#[cfg(test)]\nfn helper() {",
        "// [ID-1.1-1]\n#[test]\nfn t() {",
        "#[test]\nfn t() {\n    // [ID-1.1-1]\n    let f: fn () = x;",
        "/// [ID-1.1-1]\n#[contest]\nfn t() {",
    ] {
        assert_eq!(claims(text), [("5.0", "1.1-1".to_owned(), None)], "{text}");
    }
}

#[test]
fn table_that_is_not_in_order_is_refused() {
    for lines in
        ["a", "a\tb\tc\td", "a\t", "a\tb\t", "a\tb\na\tc", &format!("a\t{}", "b".repeat(81))]
    {
        let refused = statements(&format!("id\twording\treason\n{lines}"));
        assert!(refused.is_err(), "{lines:?}: {refused:?}");
    }
    let longest = "ü".repeat(WORDING_MAX);
    let read = statements(&format!("id\twording\treason\na\t{longest}\n")).unwrap();
    assert_eq!(read, [Statement { id: "a".to_owned(), wording: longest, reason: None }]);
}

#[test]
fn tables_of_the_repository_can_be_read() {
    for (version, count) in [(Version::V5, 252), (Version::V3, 139)] {
        assert_eq!(table(version).unwrap().statements.len(), count, "{}", version.name());
    }
}
