//! `model: auto`: by task and complexity, which models are tried.

use alloc::{string::String, vec::Vec};

use super::{
    collection::List,
    fields::{Fields, Section},
    form::Parsed,
    reference::Silence,
    text::MODEL,
};

/// What `model: auto` means, and what a request without a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auto {
    /// For a request without a model, and where no list fits.
    pub default_model: Option<String>,
    /// By task.
    pub task_routes: TaskRoutes,
}

/// By task, the models by complexity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskRoutes {
    /// Whatever is none of the others.
    pub general: Levels,
    /// Programs.
    pub coding: Levels,
    /// Problems that take thought.
    pub thinking: Levels,
    /// Requests that hold images.
    pub image: Levels,
    /// Long or strict instructions.
    pub instruction_following: Levels,
}

/// Models by complexity, tried in order; empty where not written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Levels {
    /// Little.
    pub low: Vec<String>,
    /// Some.
    pub medium: Vec<String>,
    /// Much.
    pub high: Vec<String>,
    /// Very much.
    pub xhigh: Vec<String>,
    /// Where the level has no list.
    pub default: Vec<String>,
}

const MODELS: List<Parsed<String>> = List(MODEL);

impl Auto {
    /// The models, each list with its pointer within the section.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&'static str, &'static str, &Vec<String>)> {
        let routes = &self.task_routes;
        let tasks = [
            ("general", &routes.general),
            ("coding", &routes.coding),
            ("thinking", &routes.thinking),
            ("image", &routes.image),
            ("instruction_following", &routes.instruction_following),
        ];
        tasks.into_iter().flat_map(|(task, levels)| {
            let lists = [
                ("low", &levels.low),
                ("medium", &levels.medium),
                ("high", &levels.high),
                ("xhigh", &levels.xhigh),
                ("default", &levels.default),
            ];
            lists.map(|(level, list)| (task, level, list))
        })
    }
}

impl Section for Auto {
    const NAME: &'static str = "auto";
    const DOC: &'static str = "What `model: auto` means, and what a request without a model.";
    const PENDING: &'static [(&'static str, Silence)] = &[("task_routes", Silence::Harmless)];

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            default_model: fields.optional(
                "default_model",
                &MODEL,
                |auto| auto.default_model.as_ref(),
                "For a request without a model, and where no list fits.",
            ),
            task_routes: fields.section("task_routes", |auto| &auto.task_routes, "The models by task."),
        }
    }
}

impl Section for TaskRoutes {
    const NAME: &'static str = "task_routes";
    const DOC: &'static str = "By task, the models by complexity.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            general: fields.section("general", |routes| &routes.general, "Whatever is none of the others."),
            coding: fields.section("coding", |routes| &routes.coding, "Programs."),
            thinking: fields.section("thinking", |routes| &routes.thinking, "Problems that take thought."),
            image: fields.section("image", |routes| &routes.image, "Requests that hold images."),
            instruction_following: fields.section(
                "instruction_following",
                |routes| &routes.instruction_following,
                "Long or strict instructions.",
            ),
        }
    }
}

impl Section for Levels {
    const NAME: &'static str = "levels";
    const DOC: &'static str = "Models by complexity, tried in order. A level without a list takes `default`, then the nearest lower, then higher.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            low: fields.many("low", &MODELS, |levels| &levels.low, "Little."),
            medium: fields.many("medium", &MODELS, |levels| &levels.medium, "Some."),
            high: fields.many("high", &MODELS, |levels| &levels.high, "Much."),
            xhigh: fields.many("xhigh", &MODELS, |levels| &levels.xhigh, "Very much."),
            default: fields.many("default", &MODELS, |levels| &levels.default, "Where the level has no list."),
        }
    }
}
