//! Prometheus' text format, read as a scraper reads it: labels are quoted and escaped, and may hold what separates others.

use std::collections::BTreeMap;

/// A series: its name, and its labels by theirs.
pub(crate) type Series = (String, BTreeMap<String, String>);

/// The samples of a page.
#[track_caller]
pub(crate) fn read(page: &str) -> BTreeMap<Series, f64> {
    let mut samples = BTreeMap::new();
    for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, value) = sample(line).unwrap_or_else(|| panic!("no sample: {line}"));
        assert_eq!(samples.insert(series, value), None, "twice: {line}");
    }
    samples
}

fn sample(line: &str) -> Option<(Series, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    if let Some(within) = rest.strip_prefix('{') {
        rest = within;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, behind) = unquote(quoted)?;
            labels.insert(label.to_owned(), value);
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = rest.strip_prefix('}')?;
    }
    Some(((name.to_owned(), labels), rest.trim().parse().ok()?))
}

/// A value, and what stands behind its closing quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[test]
fn labels_hold_what_separates_others() {
    let page = "# TYPE a counter\na{} 1\na{x=\"}, \\\"y=\\\\\",z=\"\\n\"} 2.5\nb 3\n";
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let expected = [
        (("a".to_owned(), labels(&[])), 1.0),
        (("a".to_owned(), labels(&[("x", "}, \"y=\\"), ("z", "\n")])), 2.5),
        (("b".to_owned(), labels(&[])), 3.0),
    ];
    assert_eq!(read(page), BTreeMap::from(expected));
}
