//! The reference of every field.

use super::*;

/// A section that contains itself, as strategies will.
#[derive(Debug, Clone, PartialEq)]
struct Nest {
    within: Vec<Self>,
}

impl Section for Nest {
    const NAME: &'static str = "nest";
    const DOC: &'static str = "";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self { within: fields.defaulted("within", &collection::List(Nested::new()), vec![], |nest| &nest.within, "") }
    }
}

#[test]
fn a_section_that_contains_itself_is_read_to_a_bounded_depth_and_described_once() {
    let nested = |levels| format!("{}{{}}{}", r#"{"within":["#.repeat(levels), "]}".repeat(levels));
    let read = |json: &str| Reader::document(json, |raw, reader| Nested::<Nest>::new().read(raw, reader));
    let shallow = read(&nested(30)).unwrap();
    assert_eq!(read(&written(&Nested::new(), &shallow, false)), Ok(shallow));
    assert!(read(&nested(5_000)).unwrap_err()[0].message.contains("nested deeper"));

    let mut reference = Reference::default();
    Nested::<Nest>::new().shape(&mut reference);
    assert_eq!(reference.sections.len(), 1);
    assert_eq!(reference.sections[0].fields[0].shape, Shape::List(Box::new(Shape::Section("nest"))));
}

/// Calls `see` with each object of a document that is a section, and its name.
fn walk(
    raw: &RawValue,
    shape: &Shape,
    reference: &Reference,
    see: &mut impl FnMut(&SectionReference, &[(String, String)]),
) {
    match (shape, Node::open(raw).unwrap()) {
        (Shape::Section(name), Node::Object(members)) => {
            let section = reference.sections.iter().find(|section| section.name == *name).unwrap();
            for (member, value) in &members {
                match section.fields.iter().find(|field| field.name == &**member) {
                    Some(field) => walk(value, &field.shape, reference, see),
                    None => assert!(section.open, "{} {}", section.name, &**member),
                }
            }
            let members: Vec<_> =
                members.iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect();
            see(section, &members);
        }
        (Shape::Either(shapes), Node::Object(_)) => {
            for shape in shapes {
                walk(raw, shape, reference, see);
            }
        }
        (Shape::List(element), Node::List(elements)) => {
            for value in elements {
                walk(value, element, reference, see);
            }
        }
        (Shape::Map { value, .. }, Node::Object(members)) => {
            for (_, member) in members {
                walk(member, value, reference, see);
            }
        }
        _ => {}
    }
}

fn walk_document(json: &str, see: &mut impl FnMut(&SectionReference, &[(String, String)])) {
    walk(serde_json::from_str(json).unwrap(), &Shape::Section("document"), &reference(), see);
}

#[test]
fn the_reference_has_every_field_and_no_other() {
    let mut seen: Vec<(&str, String)> = Vec::new();
    // Of the places of signing keys a document has one.
    let jwt = |place: &str| with(&format!(r#""auth": {{"jwt": {{"issuer": "i", {place}}}}}"#));
    for document in [FULL.to_owned(), jwt(r#""jwks_file": "f""#), jwt(r#""secret": {"env": "S"}"#)] {
        walk_document(&document, &mut |section, members| {
            seen.extend(members.iter().map(|(member, _)| (section.name, member.clone())));
        });
        assert_eq!(parse(&document).err(), None, "no field is unknown to the reader");
    }
    for section in reference().sections {
        for field in section.fields {
            assert!(
                seen.iter().any(|(name, member)| (*name, member.as_str()) == (section.name, field.name)),
                "{field:?}"
            );
            assert!(!field.doc.is_empty() && field.doc.ends_with('.'), "{field:?}");
        }
    }
}

#[test]
fn the_reference_has_the_defaults_that_reading_gives() {
    let mut compared = BTreeSet::new();
    walk_document(&to_json(&parse(BARE).unwrap()), &mut |section, members| {
        for field in &section.fields {
            // What the document has of lists and mappings is there to show what they hold.
            if let Some(default) = field.default.as_ref().filter(|default| !matches!(default.as_str(), "[]" | "{}")) {
                let read = members.iter().find(|(member, _)| member == field.name).map(|(_, value)| value);
                if section.name != "document" || field.name != "limits_backend" {
                    assert_eq!(read, Some(default), "{} {}", section.name, field.name);
                }
                compared.insert((section.name, field.name));
            }
        }
    });
    for section in reference().sections {
        for field in section.fields.iter().filter(|field| field.default.as_ref().is_some_and(|json| json.len() > 2)) {
            assert!(compared.contains(&(section.name, field.name)), "{} {}", section.name, field.name);
        }
    }
}

#[test]
fn what_is_pending_is_a_field() {
    let of = |name: &str| reference().sections.into_iter().find(|section| section.name == name).unwrap();
    let pending = |section: &SectionReference| section.fields.iter().filter(|field| field.pending.is_some()).count();
    assert_eq!(pending(&of("document")), Config::PENDING.len());
    assert_eq!(pending(&of("key")), Key::PENDING.len());
    assert_eq!(pending(&of("team")), Team::PENDING.len());
    assert_eq!(pending(&of("auth")), Auth::PENDING.len());
    assert_eq!(pending(&of("provider")), Provider::PENDING.len());
    assert_eq!(pending(&of("listen")), Listen::PENDING.len());
    assert_eq!(pending(&of("router")), Router::PENDING.len());
}
