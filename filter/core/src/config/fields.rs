//! One description of a section, used three ways: to read it, to write it, and to list its fields for schema and reference.
//!
//! A derive would split a field's facts over attributes, a parser and a document; here one call states the name, form,
//! default, accessor and meaning, and whichever task runs takes what it needs. The tasks are types, not variants of one: what
//! nobody asks for is not compiled, so that the module, which only reads, carries no word of the documentation.
//!
//! A section declares all its fields, always in the same order, before it looks at their values: what is declared only
//! sometimes would be "unknown" at other times.

use alloc::{string::String, vec::Vec};
use core::marker::PhantomData;

use serde_json::value::RawValue;

use super::{
    collection::Named,
    form::{Form, Writer, write_text},
    reader::Reader,
    reading::{Facts, Place, Reading},
    reference::{Field, Reference, Shape, Silence},
};

/// A mapping with a fixed set of fields.
pub(super) trait Section: Sized {
    /// Its name in the reference; unique.
    const NAME: &'static str;
    /// What it is for, one line.
    const DOC: &'static str;
    /// The fields that are read and checked, and not acted on yet.
    const PENDING: &'static [(&'static str, Silence)] = &[];

    /// Declares every field and makes the section of their values.
    fn declare<F: Fields<Self>>(fields: &mut F) -> Self;
}

/// Whether a field must be written, and what holds where it is not.
pub(super) enum Presence<'v, V> {
    Required,
    Default(&'v V),
    /// All the defaults of the section that it is.
    Defaults,
    Optional,
}

/// The fields of one section, under one task.
pub(super) trait Fields<S> {
    /// One field, however it may be absent; `None` where the task has no value for it.
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> Option<&F::Value>,
        presence: Presence<'_, F::Value>,
        doc: &'static str,
    ) -> Option<F::Value>;

    /// The members that no field has taken, as they are: what follows is kept and not checked. Declared last.
    fn rest(&mut self, get: impl FnOnce(&S) -> &Vec<(String, String)>) -> Vec<(String, String)>;

    /// The key under which the section stands in a mapping by name; empty where it does not.
    fn name(&self) -> String {
        String::new()
    }

    /// Notes what is wrong between fields, at `pointer` relative to the section; empty for the section as a whole.
    fn report(&mut self, _pointer: &str, _message: &str) {}

    /// Whether what was read at `pointer`, relative to the section, was well.
    fn is_sound(&self, _pointer: &str) -> bool {
        true
    }

    /// A field that must be written.
    fn required<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> &F::Value,
        doc: &'static str,
    ) -> F::Value {
        let value = self.field(name, form, |section| Some(get(section)), Presence::Required, doc);
        value.unwrap_or_else(|| form.stand_in())
    }

    /// A field with a default.
    fn defaulted<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        default: F::Value,
        get: impl FnOnce(&S) -> &F::Value,
        doc: &'static str,
    ) -> F::Value {
        self.field(name, form, |section| Some(get(section)), Presence::Default(&default), doc).unwrap_or(default)
    }

    /// A field that may be absent.
    fn optional<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> Option<&F::Value>,
        doc: &'static str,
    ) -> Option<F::Value> {
        self.field(name, form, get, Presence::Optional, doc)
    }

    /// A section within; where absent, all its defaults.
    fn section<T: Section>(&mut self, name: &'static str, get: impl FnOnce(&S) -> &T, doc: &'static str) -> T {
        let form = Nested::<T>::new();
        let value = self.field(name, &form, |section| Some(get(section)), Presence::Defaults, doc);
        value.unwrap_or_else(|| form.stand_in())
    }

    /// A list or mapping; empty where absent.
    fn many<F: Form<Value: Default>>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> &F::Value,
        doc: &'static str,
    ) -> F::Value {
        self.defaulted(name, form, F::Value::default(), get, doc)
    }
}

/// The task of writing.
struct Writing<'f, S> {
    section: &'f S,
    out: &'f mut Writer,
}

impl<S> Fields<S> for Writing<'_, S> {
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> Option<&F::Value>,
        presence: Presence<'_, F::Value>,
        _: &'static str,
    ) -> Option<F::Value> {
        let value = get(self.section)?;
        let before = self.out.text.len();
        begin_member(name, self.out);
        let start = self.out.text.len();
        form.write(value, self.out);
        let written = self.out.text.get(start..).unwrap_or_default();
        let is_usual = match presence {
            Presence::Default(default) => self::written(form, default, self.out.brief) == written,
            Presence::Defaults => written == "{}",
            Presence::Required | Presence::Optional => false,
        };
        if self.out.brief && is_usual {
            self.out.text.truncate(before);
        }
        None
    }

    fn rest(&mut self, get: impl FnOnce(&S) -> &Vec<(String, String)>) -> Vec<(String, String)> {
        for (name, value) in get(self.section) {
            begin_member(name, self.out);
            self.out.push_str(value);
        }
        Vec::new()
    }
}

/// The task of describing.
struct Describing<'f> {
    fields: Vec<Field>,
    open: bool,
    reference: &'f mut Reference,
}

impl<S: Section> Fields<S> for Describing<'_> {
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        _: impl FnOnce(&S) -> Option<&F::Value>,
        presence: Presence<'_, F::Value>,
        doc: &'static str,
    ) -> Option<F::Value> {
        let shape = form.shape(self.reference);
        let (default, required) = match presence {
            Presence::Required => (None, true),
            Presence::Default(value) => (Some(written(form, value, false)), false),
            Presence::Defaults | Presence::Optional => (None, false),
        };
        let pending = S::PENDING.iter().find(|(pending, _)| *pending == name).map(|(_, silence)| *silence);
        self.fields.push(Field { name, shape, default, required, doc, pending });
        None
    }

    fn rest(&mut self, _: impl FnOnce(&S) -> &Vec<(String, String)>) -> Vec<(String, String)> {
        self.open = true;
        Vec::new()
    }
}

/// A section as the form of a field, an element or an entry.
pub(super) struct Nested<S>(PhantomData<S>);

impl<S: Section> Nested<S> {
    const FACTS: &'static Facts = &Facts { name: S::NAME, pending: S::PENDING };

    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }

    // Once for each section: it is most of what reading is.
    #[inline(never)]
    fn declare(reading: Reading<'_>) -> S {
        let mut reading = reading;
        let section = S::declare(&mut reading);
        reading.finish();
        section
    }
}

impl<S: Named> Nested<S> {
    /// Reads the section that stands under `name` in a mapping by name.
    pub(super) fn read_named(name: &str, raw: &RawValue, reader: &mut Reader) -> S {
        Self::declare(Reading::open_or_imagine(name, raw, Self::FACTS, reader))
    }
}

impl<S: Section> Form for Nested<S> {
    type Value = S;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<S> {
        Reading::open(raw, Self::FACTS, reader).map(Self::declare)
    }

    fn read_or_stand_in(&self, raw: &RawValue, reader: &mut Reader) -> S {
        Self::declare(Reading::open_or_imagine("", raw, Self::FACTS, reader))
    }

    fn write(&self, section: &S, out: &mut Writer) {
        out.push('{');
        S::declare(&mut Writing { section, out });
        out.push('}');
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        if let Some(place) = reference.enter(S::NAME, S::DOC) {
            let mut fields = Describing { fields: Vec::new(), open: false, reference };
            S::declare(&mut fields);
            let Describing { fields, open, reference } = fields;
            reference.fill(place, fields, open);
        }
        Shape::Section(S::NAME)
    }

    fn stand_in(&self) -> S {
        Self::declare(Reading::imagine(Self::FACTS, &mut Reader::default()))
    }
}

impl<S: Section> Fields<S> for Reading<'_> {
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        _: impl FnOnce(&S) -> Option<&F::Value>,
        presence: Presence<'_, F::Value>,
        _: &'static str,
    ) -> Option<F::Value> {
        let mut value = None;
        self.read(name, matches!(presence, Presence::Required), &mut Place { form, value: &mut value });
        value
    }

    fn rest(&mut self, _: impl FnOnce(&S) -> &Vec<(String, String)>) -> Vec<(String, String)> {
        self.take_rest()
    }

    fn name(&self) -> String {
        self.key()
    }

    fn report(&mut self, pointer: &str, message: &str) {
        self.reader().report_under(pointer, message);
    }

    fn is_sound(&self, pointer: &str) -> bool {
        self.was_sound(pointer)
    }

    // What stands in is made first, so that a value is read into its place and chosen nowhere.

    fn required<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        _: impl FnOnce(&S) -> &F::Value,
        _: &'static str,
    ) -> F::Value {
        let mut value = form.stand_in();
        self.read(name, true, &mut Place { form, value: &mut value });
        value
    }

    fn defaulted<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        default: F::Value,
        _: impl FnOnce(&S) -> &F::Value,
        _: &'static str,
    ) -> F::Value {
        let mut value = default;
        self.read(name, false, &mut Place { form, value: &mut value });
        value
    }

    fn section<T: Section>(&mut self, name: &'static str, _: impl FnOnce(&S) -> &T, _: &'static str) -> T {
        Nested::<T>::declare(self.open_field(name, Nested::<T>::FACTS))
    }
}

fn begin_member(name: &str, out: &mut Writer) {
    // No value ends with an opening brace.
    if !out.text.ends_with('{') {
        out.push(',');
    }
    write_text(name, out);
    out.push(':');
}

/// A value as JSON, with all that is as by default, or brief without it.
pub(super) fn written<F: Form>(form: &F, value: &F::Value, brief: bool) -> String {
    let mut out = Writer { text: String::new(), brief };
    form.write(value, &mut out);
    out.text
}
