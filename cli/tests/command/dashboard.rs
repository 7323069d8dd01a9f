//! The dashboard that the repository ships draws what the gateway tells: every metric of it, and no other. A name that is wrong
//! there is no error to Grafana, but an empty panel.

use std::{iter::Peekable, str::CharIndices};

use dragoman_core::record::metric::{self, Metric, Shape};

use super::*;

const DASHBOARD: &str = "envoy/grafana/dragoman.json";

/// The page that says what they are.
const PAGE: &str = "docs/operations.md";

/// What else is drawn: Envoy's own.
const OF_ENVOY: (&str, &[&str]) = ("envoy_http_downstream_rq_active", &["envoy_http_conn_manager_prefix"]);

/// The functions and operators that it has use of. A name that is none of them is a series.
const WORDS: &[&str] = &["sum", "by", "rate", "histogram_quantile", "or", "vector"];

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    /// Series, each with the labels that are asked of it.
    series: Vec<(String, Vec<String>)>,
    /// Labels that a sum is kept apart by.
    groups: Vec<String>,
}

/// Reads so much of a query as tells names apart. What stands between quotes or in a range is none.
fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let (mut is_matcher, mut is_grouping, mut before) = (false, false, String::new());
    let mut rest = expression.char_indices().peekable();
    while let Some((_, character)) = rest.next() {
        match character {
            '"' => skip(&mut rest, '"'),
            '[' => skip(&mut rest, ']'),
            '{' => is_matcher = true,
            '}' => is_matcher = false,
            '(' => is_grouping = before == "by",
            ')' => is_grouping = false,
            'a'..='z' | 'A'..='Z' | '_' => {
                let mut word = String::from(character);
                while let Some((_, more)) = rest.next_if(|(_, next)| next.is_ascii_alphanumeric() || *next == '_') {
                    word.push(more);
                }
                if is_matcher {
                    names.series.last_mut().unwrap().1.push(word.clone());
                } else if is_grouping {
                    names.groups.push(word.clone());
                } else if !WORDS.contains(&word.as_str()) {
                    names.series.push((word.clone(), Vec::new()));
                }
                before = word;
            }
            '0'..='9' => while rest.next_if(|(_, next)| next.is_ascii_alphanumeric() || *next == '.').is_some() {},
            _ => {}
        }
    }
    names
}

fn skip(rest: &mut Peekable<CharIndices<'_>>, end: char) {
    assert!(rest.any(|(_, character)| character == end), "no {end}");
}

/// The metric whose series this is, and what labels that has.
fn series_of(name: &str) -> Option<(Metric, Vec<&'static str>)> {
    let with = |metric: &Metric, more: &[&'static str]| (*metric, [metric.labels, more].concat());
    metric::ALL.iter().find_map(|metric| match (name.strip_prefix(metric.name)?, metric.shape) {
        ("", Shape::Counter) | ("_sum" | "_count", Shape::Histogram) => Some(with(metric, &[])),
        ("_bucket", Shape::Histogram) => Some(with(metric, &["le"])),
        _ => None,
    })
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join(DASHBOARD)).unwrap()).unwrap()
}

/// Every expression of it: those of its panels, and what is between the brackets of its variables' `label_values(…, label)`.
fn expressions(dashboard: &Value) -> Vec<(String, Option<String>)> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let drawn = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let drawn = drawn.map(|target| (target["expr"].as_str().unwrap().to_owned(), None));
    let variables = dashboard.pointer("/templating/list").and_then(Value::as_array).unwrap().iter();
    let asked = variables.filter(|variable| variable["type"] == "query").map(|variable| {
        let query = variable.pointer("/query/query").and_then(Value::as_str).unwrap();
        assert_eq!(variable["definition"], query);
        let within = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (series, label) = within.rsplit_once(", ").unwrap();
        (series.to_owned(), Some(label.to_owned()))
    });
    drawn.chain(asked).collect()
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    let names =
        names(r#"(sum by (le, a) (rate(x_total{b="y_total{", c=~"4.."}[$__rate_interval])) or vector(0)) / 1e9"#);
    let series = vec![("x_total".to_owned(), vec!["b".to_owned(), "c".to_owned()])];
    assert_eq!(names, Names { series, groups: vec!["le".to_owned(), "a".to_owned()] });
}

#[test]
fn the_dashboard_draws_every_metric_and_no_other() {
    let mut drawn = BTreeSet::new();
    for (expression, listed) in expressions(&dashboard()) {
        let Names { series, groups } = names(&expression);
        assert!(!series.is_empty(), "{expression}");
        for (name, labels) in series {
            let known = if name == OF_ENVOY.0 {
                OF_ENVOY.1.to_vec()
            } else {
                let (metric, known) = series_of(&name).unwrap_or_else(|| panic!("{name} in {expression}"));
                drawn.insert(metric.name);
                known
            };
            for label in labels.iter().chain(&groups).chain(&listed) {
                assert!(known.contains(&label.as_str()), "{name} has no {label}: {expression}");
            }
        }
    }
    let missing: Vec<_> = metric::ALL.iter().map(|metric| metric.name).filter(|name| !drawn.contains(name)).collect();
    assert!(missing.is_empty(), "not drawn: {missing:?}");
}

/// Grafana shows two panels at one place as one, and takes two with one id for the same.
#[test]
fn no_two_panels_of_the_dashboard_are_in_each_others_way() {
    let dashboard = dashboard();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().unwrap());
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        assert!(x + width <= 24, "{}", panel["title"]);
        for (column, row) in (x..x + width).flat_map(|column| (y..y + height).map(move |row| (column, row))) {
            assert!(places.insert((column, row)), "{}", panel["title"]);
        }
        let refs: BTreeSet<_> =
            panel["targets"].as_array().unwrap().iter().map(|target| target["refId"].as_str()).collect();
        assert_eq!(refs.len(), panel["targets"].as_array().unwrap().len(), "{}", panel["title"]);
    }
}

#[test]
fn the_page_has_every_metric_with_its_labels() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `llm_")).collect();
    let expected: Vec<String> = metric::ALL
        .iter()
        .map(|Metric { name, labels, tells, .. }| format!("| `{name}` | `{}` | {tells} |", labels.join("`, `")))
        .collect();
    assert_eq!(rows, expected, "{PAGE}");
}
