//! Routing configurations: strategies over targets, nested where a target is itself a strategy.
//!
//! A target is written short (`gpt-4o`) or as a mapping, and a mapping with `strategy` is a strategy with its place among the
//! others: one level of the file, not two, because that is how operators write it.

use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};

use serde_json::value::RawValue;

use super::{
    collection::{List, OneOrMany, Pairs},
    fields::{Fields, Nested, Section},
    form::{Bare, Choice, Flag, Form, Parsed, Whole, Writer},
    node::is_mapping,
    number::{Decimal, WEIGHT},
    raw::Credential,
    reader::Reader,
    reference::{Reference, Shape},
    rule::Rule,
    text::{HEADER_NAME, LABEL, MODEL, TEXT},
};

/// Strategies by the names that keys and targets refer to them by.
pub type Routing = Vec<(String, Strategy)>;

/// How one of several targets is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// The way of choosing.
    pub kind: StrategyKind,
    /// Among what is chosen.
    pub targets: Vec<Target>,
    /// The same, for targets that are only a provider.
    pub providers: Vec<String>,
    /// What keeps its target from request to request.
    pub sticky: Option<Sticky>,
    /// For [`StrategyKind::Rules`]: the first that matches decides.
    pub rules: Vec<Rule>,
    /// For [`StrategyKind::Rules`]: where none matches.
    pub otherwise: Vec<Target>,
    /// Where not, it is kept, checked and bypassed.
    pub active: bool,
}

/// The ways of choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyKind {
    /// By priority; equal ones by weight.
    Fallback,
    /// By weight, anew for each request.
    Split,
    /// The quicker of two.
    Latency,
    /// The least price for the tokens that are expected.
    Cheapest,
    /// The fewest requests in flight.
    LeastBusy,
    /// By what the request is like.
    Rules,
    /// By task and complexity.
    Auto,
}

/// What keeps its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sticky {
    /// The request's `user`.
    User,
    /// The client's key.
    Key,
    /// The value of this header.
    Header(String),
}

/// One of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where the request goes.
    pub destination: Destination,
    /// Its share.
    pub weight: Decimal,
    /// Its rank, the least first; its position where not written.
    pub priority: Option<u32>,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// To a provider, a model, or both.
    Model {
        /// The provider; where absent, as the model says.
        provider: Option<String>,
        /// The provider's account; where absent, any.
        account: Option<String>,
        /// The model; where absent, the one asked for, as that provider calls it.
        model: Option<String>,
        /// Used instead of the provider's own.
        credential: Option<Credential>,
    },
    /// Through the routing configuration of this name.
    Routing(String),
    /// Through a strategy written here.
    Strategy(Box<Strategy>),
}

/// Names that the ways go by in the file. A weighted one is a split.
const KIND: Choice<StrategyKind> = Choice {
    first: ("fallback", StrategyKind::Fallback),
    rest: &[
        ("split", StrategyKind::Split),
        ("weighted", StrategyKind::Split),
        ("latency", StrategyKind::Latency),
        ("cheapest", StrategyKind::Cheapest),
        ("least_busy", StrategyKind::LeastBusy),
        ("rules", StrategyKind::Rules),
        ("auto", StrategyKind::Auto),
    ],
};

const STICKY: Parsed<Sticky> = Parsed {
    what: "user, key, or header:NAME",
    bare: Bare::Nothing,
    secret: false,
    parse: |text| match (text, text.strip_prefix("header:")) {
        ("user", _) => Ok(Sticky::User),
        ("key", _) => Ok(Sticky::Key),
        (_, Some(header)) => (HEADER_NAME.parse)(header).map(Sticky::Header),
        _ => Err("is none of them"),
    },
    print: |sticky| match sticky {
        Sticky::User => "user".to_owned(),
        Sticky::Key => "key".to_owned(),
        Sticky::Header(header) => ["header:", header].concat(),
    },
    stand_in: || Sticky::User,
};

impl Target {
    /// A model and nothing more.
    fn of_model(model: String) -> Self {
        let destination = Destination::Model { provider: None, account: None, model: Some(model), credential: None };
        Self { destination, weight: Decimal::of(1), priority: None }
    }

    fn strategy(&self) -> Option<&Strategy> {
        match &self.destination {
            Destination::Strategy(strategy) => Some(strategy),
            Destination::Model { .. } | Destination::Routing(_) => None,
        }
    }
}

impl Section for Strategy {
    const NAME: &'static str = "strategy";
    const DOC: &'static str = "How one of several targets is chosen.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let kind = fields.required("strategy", &KIND, |strategy| &strategy.kind, "The way of choosing.");
        declare_parts(fields, Some(kind), |strategy| Some(strategy))
    }
}

impl Section for Target {
    const NAME: &'static str = "target";
    const DOC: &'static str =
        "Where a request goes: a model, a provider, a routing configuration by name, or a strategy written here.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        macro_rules! of_model {
            ($field:ident) => {
                |target: &Self| match &target.destination {
                    Destination::Model { $field, .. } => $field.as_ref(),
                    Destination::Routing(_) | Destination::Strategy(_) => None,
                }
            };
        }
        let model = fields.optional(
            "model",
            &MODEL,
            of_model!(model),
            "The model. Default: the one asked for, as the provider calls it.",
        );
        let provider =
            fields.optional("provider", &TEXT, of_model!(provider), "The provider. Default: as the model says.");
        let account = fields.optional("account", &LABEL, of_model!(account), "The provider's account. Default: any.");
        let credential = fields.optional(
            "credential",
            &Nested::new(),
            of_model!(credential),
            "Presented instead of the provider's own.",
        );
        let named = fields.optional(
            "routing",
            &LABEL,
            |target: &Self| match &target.destination {
                Destination::Routing(name) => Some(name),
                Destination::Model { .. } | Destination::Strategy(_) => None,
            },
            "A routing configuration, by its name.",
        );
        let kind = fields.optional(
            "strategy",
            &KIND,
            |target: &Self| target.strategy().map(|strategy| &strategy.kind),
            "Makes the target a strategy itself: the way of choosing.",
        );
        let parts = declare_parts(fields, kind, Self::strategy);
        let weight = fields.defaulted(
            "weight",
            &WEIGHT,
            Decimal::of(1),
            |target| &target.weight,
            "Its share, where the strategy goes by weight.",
        );
        let priority = fields.optional(
            "priority",
            &Whole { min: 0, max: u32::MAX },
            |target| target.priority.as_ref(),
            "Its rank, the least first. Default: its position.",
        );

        let is_model = model.is_some() || provider.is_some() || account.is_some() || credential.is_some();
        let ways = [is_model, named.is_some(), kind.is_some()].iter().filter(|way| **way).count();
        if ways > 1 {
            fields.report("", "is several things at once: a model or provider, `routing` by name, or a `strategy`");
        } else if ways == 0 && ["/model", "/provider", "/routing", "/strategy"].iter().all(|at| fields.is_sound(at)) {
            fields.report("", "leads nowhere: expected `model`, `provider`, `routing` or `strategy`");
        }
        if account.is_some() && provider.is_none() && fields.is_sound("/provider") {
            fields.report("/account", "needs the `provider` that it is an account of");
        }
        let destination = match (named, kind) {
            (Some(name), _) => Destination::Routing(name),
            (None, Some(_)) => Destination::Strategy(Box::new(parts)),
            (None, None) => Destination::Model { provider, account, model, credential },
        };
        Self { destination, weight, priority }
    }
}

/// The fields of a strategy but the way of choosing.
fn declare_parts<S, F: Fields<S>>(
    fields: &mut F,
    kind: Option<StrategyKind>,
    get: impl Fn(&S) -> Option<&Strategy> + Copy,
) -> Strategy {
    let (targets, otherwise) = (List(TargetForm), OneOrMany(TargetForm));
    let parts = Strategy {
        kind: kind.unwrap_or(StrategyKind::Fallback),
        targets: fields
            .optional("targets", &targets, |section| get(section).map(|s| &s.targets), "Among what is chosen.")
            .unwrap_or_default(),
        providers: fields
            .optional(
                "providers",
                &List(TEXT),
                |section| get(section).map(|s| &s.providers),
                "Short for targets that are only a provider.",
            )
            .unwrap_or_default(),
        sticky: fields.optional(
            "sticky",
            &STICKY,
            |section| get(section)?.sticky.as_ref(),
            "With split: what keeps its target from request to request.",
        ),
        rules: fields
            .optional(
                "rules",
                &List(Nested::new()),
                |section| get(section).map(|s| &s.rules),
                "With rules: the first that matches decides.",
            )
            .unwrap_or_default(),
        otherwise: fields
            .optional(
                "else",
                &otherwise,
                |section| get(section).map(|s| &s.otherwise),
                "With rules: where none matches.",
            )
            .unwrap_or_default(),
        active: fields
            .optional(
                "active",
                &Flag,
                |section| get(section).map(|s| &s.active),
                "Default: true. An inactive one is kept, checked and bypassed.",
            )
            .unwrap_or(true),
    };
    if fields.is_sound("/strategy") {
        match kind {
            Some(kind) => report_misfits(fields, kind, &parts),
            None => report_parts(fields, &parts),
        }
    }
    parts
}

/// What does not go with the way of choosing.
fn report_misfits<S, F: Fields<S>>(fields: &mut F, kind: StrategyKind, parts: &Strategy) {
    let is_rules = kind == StrategyKind::Rules;
    let chooses = !is_rules && kind != StrategyKind::Auto;
    let mut misfit = |is_there: bool, field: &str, message| {
        if is_there {
            fields.report(field, message);
        }
    };
    misfit(!parts.targets.is_empty() && !chooses, "/targets", "does not go with this strategy");
    misfit(!parts.providers.is_empty() && !chooses, "/providers", "does not go with this strategy");
    misfit(!parts.rules.is_empty() && !is_rules, "/rules", "goes with the strategy rules only");
    misfit(!parts.otherwise.is_empty() && !is_rules, "/else", "goes with the strategy rules only");
    misfit(
        parts.sticky.is_some() && kind != StrategyKind::Split,
        "/sticky",
        "goes with the strategy split only: the others have their own reasons to move on",
    );
    misfit(
        !parts.targets.is_empty() && !parts.providers.is_empty(),
        "/providers",
        "is short for `targets`, which is written as well",
    );
    let weightless = parts.targets.iter().all(|target| target.weight == Decimal::ZERO);
    if kind == StrategyKind::Split && weightless && !parts.targets.is_empty() && fields.is_sound("/targets") {
        fields.report("/targets", "have no weight between them");
    }
    let empty = parts.targets.is_empty() && parts.providers.is_empty();
    if chooses && empty && fields.is_sound("/targets") && fields.is_sound("/providers") {
        fields.report("", "has nothing to choose from: expected `targets` or `providers`");
    }
    let mute = parts.rules.is_empty() && parts.otherwise.is_empty();
    if is_rules && mute && fields.is_sound("/rules") && fields.is_sound("/else") {
        fields.report("", "has no `rules`");
    }
}

/// What stands there without a way of choosing.
fn report_parts<S, F: Fields<S>>(fields: &mut F, parts: &Strategy) {
    let there = [
        ("/targets", !parts.targets.is_empty()),
        ("/providers", !parts.providers.is_empty()),
        ("/rules", !parts.rules.is_empty()),
        ("/else", !parts.otherwise.is_empty()),
        ("/sticky", parts.sticky.is_some()),
    ];
    for (field, _) in there.iter().filter(|(_, is_there)| *is_there) {
        fields.report(field, "needs a `strategy` beside it");
    }
}

/// Strategies by name.
pub(super) const ROUTING: Pairs<Nested<Strategy>> = Pairs { name: LABEL, value: Nested::new() };

/// A target: a model's name, or a mapping.
pub(super) struct TargetForm;

impl Form for TargetForm {
    type Value = Target;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Target> {
        if is_mapping(raw) { Nested::new().read(raw, reader) } else { MODEL.read(raw, reader).map(Target::of_model) }
    }

    fn write(&self, value: &Target, out: &mut Writer) {
        Nested::new().write(value, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Target>::new().shape(reference);
        Shape::Either([MODEL.shape(reference), section].into())
    }

    fn stand_in(&self) -> Target {
        Target::of_model(String::new())
    }
}
