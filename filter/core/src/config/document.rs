//! The whole file: its sections in the order of the reference.

use alloc::string::String;

use super::{
    collection::{ByName, List, OneOrMany, Pairs},
    fields::{Fields, Nested, Section},
    form::{Parsed, Whole},
    limit::{Backend, LimitsBackend},
    number::{Decimal, RATIO},
    raw::Config,
    reference::Silence,
    router::MODEL_MAPPING,
    routing::ROUTING,
    text::{ALIAS, CATALOGUE_NAME, LABEL, MODEL, MODEL_GLOB, PROVIDER_NAME, ROUTER_NAME, SIZE},
};

/// By the pattern of a model, the models that stand in for it.
const MODEL_LISTS: Pairs<List<Parsed<String>>> = Pairs { name: MODEL_GLOB, value: List(MODEL) };

impl Section for Config {
    const NAME: &'static str = "document";
    const DOC: &'static str = "The whole file. Only `providers` is required.";
    const PENDING: &'static [(&'static str, Silence)] =
        &[("console", Silence::Harmless), ("policy", Silence::Harmless)];

    #[expect(clippy::too_many_lines, reason = "one field after the other, as they stand in the file")]
    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let _: Option<u64> =
            fields.optional("version", &Whole { min: 1, max: 1 }, |_| Some(&1), "The version of this format.");
        Self {
            listen: fields.section("listen", |config| &config.listen, "Where the gateway listens."),
            tls: fields.section("tls", |config| &config.tls, "How the providers' certificates are verified."),
            providers: fields.required(
                "providers",
                &ByName { name: PROVIDER_NAME, section: Nested::new() },
                |config| &config.providers,
                "Who can be asked, by name.",
            ),
            catalogue: fields.section(
                "catalogue",
                |config| &config.catalogue,
                "How the built-in catalogue of models is used.",
            ),
            models: fields.many(
                "models",
                &ByName { name: CATALOGUE_NAME, section: Nested::new() },
                |config| &config.models,
                "What is otherwise than in the built-in catalogue, or not in it.",
            ),
            aliases: fields.many(
                "aliases",
                &Pairs { name: ALIAS, value: OneOrMany(MODEL) },
                |config| &config.aliases,
                "Other names for models; of several, the first that can be asked. None leads to more than 256 names, those of other \
                 aliases on the way included.",
            ),
            model_mapping: fields.many(
                "model_mapping",
                &MODEL_MAPPING,
                |config| &config.model_mapping,
                "By the model asked for, what providers call it.",
            ),
            auth: fields.section("auth", |config| &config.auth, "Who may ask."),
            admin: fields.section("admin", |config| &config.admin, "Who may use the admin API."),
            console: fields.section("console", |config| &config.console, "Who may use the console."),
            teams: fields.many(
                "teams",
                &ByName { name: LABEL, section: Nested::new() },
                |config| &config.teams,
                "Several keys that share a budget and limits, by name.",
            ),
            keys: fields.many("keys", &List(Nested::new()), |config| &config.keys, "The keys that clients present."),
            limits: fields.many(
                "limits",
                &List(Nested::new()),
                |config| &config.limits,
                "How much of what, in which time, for whom.",
            ),
            soft_threshold: fields.defaulted(
                "soft_threshold",
                &RATIO,
                Decimal::thousandths(800),
                |config| &config.soft_threshold,
                "The part of a budget from which answers warn.",
            ),
            limits_backend: fields.defaulted(
                "limits_backend",
                &Backend,
                LimitsBackend::Local,
                |config| &config.limits_backend,
                "Where limits are counted: in this Envoy, or by a service that several share.",
            ),
            retry: fields.section("retry", |config| &config.retry, "How failures are survived."),
            fallbacks: fields.many(
                "fallbacks",
                &MODEL_LISTS,
                |config| &config.fallbacks,
                "By model or pattern, what is tried after it.",
            ),
            context_fallbacks: fields.many(
                "context_fallbacks",
                &MODEL_LISTS,
                |config| &config.context_fallbacks,
                "By model or pattern, what is tried where its context window was too small.",
            ),
            content_fallbacks: fields.many(
                "content_fallbacks",
                &MODEL_LISTS,
                |config| &config.content_fallbacks,
                "By model or pattern, what is tried where it refused the content.",
            ),
            fallback_models: fields.many(
                "fallback_models",
                &List(MODEL),
                |config| &config.fallback_models,
                "What is tried after everything else.",
            ),
            routing: fields.many(
                "routing",
                &ROUTING,
                |config| &config.routing,
                "Routing configurations that keys and targets refer to, by name.",
            ),
            routers: fields.many(
                "routers",
                &ByName { name: ROUTER_NAME, section: Nested::new() },
                |config| &config.routers,
                "What `/router/{name}/` does, by name.",
            ),
            auto: fields.section("auto", |config| &config.auto, "What `model: auto` means."),
            environments: fields.many(
                "environments",
                &ByName { name: LABEL, section: Nested::new() },
                |config| &config.environments,
                "What is otherwise for requests that name an environment.",
            ),
            policy: fields.section("policy", |config| &config.policy, "What is learnt of targets from live traffic."),
            cache: fields.section("cache", |config| &config.cache, "The memory for the answers that routers keep."),
            log: fields.section("log", |config| &config.log, "What is recorded of requests."),
            max_body: fields.defaulted(
                "max_body",
                &SIZE,
                32 << 20,
                |config| &config.max_body,
                "Largest request body; a larger one is answered with 413.",
            ),
            max_upload: fields.defaulted(
                "max_upload",
                &SIZE,
                512 << 20,
                |config| &config.max_upload,
                "The same for files and forms that pass to their provider as they come, without being held.",
            ),
        }
    }
}
