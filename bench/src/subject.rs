//! What is measured: ways of running Envoy, each a row of [`SUBJECTS`].
//!
//! The gateway's are rendered by `dragoman render`, from a file such as an operator writes: with a client key to be checked, a
//! credential to be put in, the access log on. Envoy without it has none of these; it is the measure of what they cost.

use crate::{
    answer::{ANSWERS, Answer},
    envoy::{Envoy, Processors, free_address},
    load::ask_once,
    workload::Workload,
};
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

/// The client's key, and its SHA-256.
const KEY: &str = "sk-bench";
const KEY_SHA256: &str = "c00397de4384b5bbaf14c02fe1ec7020d28d1eeab6a722c576c84b6678c41c29";

/// A provider that is asked only after others.
const SPARE: &str = "spare";

/// A way of running Envoy.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    make: Make,
}

/// How its configuration is made.
enum Make {
    /// By hand: one route to the provider, and this module, if any.
    Envoy { in_listener: bool, in_cluster: bool },
    /// From a file for the gateway.
    Gateway {
        /// What the file says beyond providers and keys.
        more: fn() -> Value,
        /// Where attempts run, if that says so; else the gateway chooses, by the request.
        way: Option<Way>,
    },
}

/// Where a gateway's attempt ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the listener's filter.
    OneFilter,
    /// In a second one, in the provider's cluster.
    TwoRoles,
}

/// All subjects. The first is what the others are compared with.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { name: "bare", title: "bare Envoy", make: Make::Envoy { in_listener: false, in_cluster: false } },
    Subject { name: "noop", title: "no-op wasm", make: Make::Envoy { in_listener: true, in_cluster: false } },
    Subject {
        name: "noop-two",
        title: "no-op wasm, two roles",
        make: Make::Envoy { in_listener: true, in_cluster: true },
    },
    Subject { name: "native", title: "Dragoman", make: Make::Gateway { more: || json!({}), way: None } },
    Subject {
        name: "once",
        title: "Dragoman, no second try",
        make: Make::Gateway { more: || json!({"retry": {"attempts": 0}}), way: None },
    },
    Subject {
        name: "chain",
        title: "Dragoman, a fallback behind",
        make: Make::Gateway { more: || json!({"fallback_models": [format!("{SPARE}/model")]}), way: None },
    },
    Subject {
        name: "open",
        title: "Dragoman, open to all",
        make: Make::Gateway { more: || json!({"keys": []}), way: None },
    },
    Subject {
        name: "limits",
        title: "Dragoman, three limits",
        make: Make::Gateway { more: || json!({"limits": three_limits()}), way: None },
    },
    Subject {
        name: "dispatch",
        title: "Dragoman, `mode: dispatch`",
        make: Make::Gateway { more: || json!({"retry": {"mode": "dispatch"}}), way: Some(Way::OneFilter) },
    },
];

/// A subject that runs.
pub(crate) struct Running {
    pub(crate) subject: &'static Subject,
    pub(crate) envoy: Envoy,
    /// Where a gateway's Envoy says what it has done.
    envoy_admin: Option<SocketAddr>,
    dist: PathBuf,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneFilter => "one filter",
            Self::TwoRoles => "two roles",
        })
    }
}

impl Subject {
    /// Whether it translates, checks keys and so on.
    pub(crate) fn is_gateway(&self) -> bool {
        matches!(self.make, Make::Gateway { .. })
    }

    /// Whether it is asked for this workload: a gateway and bare Envoy always.
    pub(crate) fn takes(&self, workload: &Workload) -> bool {
        workload.with_floors || !matches!(self.make, Make::Envoy { in_listener: true, .. })
    }

    pub(crate) fn start(
        &'static self,
        dist: &Path,
        upstream: SocketAddr,
        processors: Processors,
    ) -> anyhow::Result<Running> {
        let address = free_address()?;
        let envoy_admin = self.is_gateway().then(free_address).transpose()?;
        let bootstrap = match self.make {
            Make::Envoy { in_listener, in_cluster } => {
                by_hand(dist, address, upstream, in_listener, in_cluster).to_string()
            }
            Make::Gateway { more, .. } => {
                let listen = json!({
                    "address": address, "admin": free_address()?, "envoy_admin": envoy_admin, "concurrency": 1,
                });
                rendered(dist, &gateway_file(&listen, upstream, &more()))?
            }
        };
        let envoy = Envoy::start(dist, &bootstrap, address, processors).with_context(|| self.title)?;
        Ok(Running { subject: self, envoy, envoy_admin, dist: dist.to_owned() })
    }
}

impl Running {
    /// What it is called by programs and by people: a gateway of another folder by that folder too.
    pub(crate) fn name(&self) -> (String, String) {
        let Subject { name, title, .. } = self.subject;
        match self.dist.file_name().and_then(OsStr::to_str).filter(|folder| *folder != "dist") {
            None => ((*name).to_owned(), (*title).to_owned()),
            Some(folder) => (format!("{name} {folder}"), format!("{title}, {folder}")),
        }
    }

    /// The request of a workload as this subject takes it.
    pub(crate) fn request(&self, workload: &Workload) -> anyhow::Result<Vec<u8>> {
        let answer = answer(workload)?;
        let path = if self.subject.is_gateway() {
            workload.client.path().to_owned()
        } else {
            format!("/{}/v1/chat/completions", answer.name)
        };
        Ok(workload.request(&path, KEY, answer.is_stream()))
    }

    /// Asks once, and looks at what comes: the answer whole, and in the client's format where it is the gateway's to see to it. Of
    /// a gateway, where the attempt ran.
    pub(crate) async fn check(&self, workload: &Workload) -> anyhow::Result<Option<Way>> {
        let is_stream = answer(workload)?.is_stream();
        let before = self.asked(workload).await?;
        let body = ask_once(self.envoy.address, &self.request(workload)?).await?;
        let mut marks = vec![crate::answer::LAST_WORD];
        if self.subject.is_gateway() {
            marks.push(workload.client.mark(is_stream));
        }
        for mark in marks {
            ensure!(body.contains(mark), "{}, {}: no {mark} in\n{body}", self.subject.title, workload.title);
        }
        let Make::Gateway { way, .. } = self.subject.make else { return Ok(None) };
        let after = self.asked(workload).await?;
        let seen = match (after.0 - before.0, after.1 - before.1) {
            (1, 0) => Way::TwoRoles,
            (0, 1) => Way::OneFilter,
            other => bail!("{}: the clusters of {} were asked {other:?} times", self.subject.title, workload.answer),
        };
        Ok(way.or(Some(seen)))
    }

    /// How often a gateway's Envoy has asked the cluster of this workload's answer, and the one beside it that carries no module.
    async fn asked(&self, workload: &Workload) -> anyhow::Result<(u64, u64)> {
        let Some(envoy_admin) = self.envoy_admin else { return Ok((0, 0)) };
        let name = format!("cluster.dragoman_{}", workload.answer);
        let request = b"GET /stats?filter=upstream_rq_total HTTP/1.1\r\nhost: admin.test\r\n\r\n";
        let stats = ask_once(envoy_admin, request).await?;
        let count = |cluster: &str| {
            let figure =
                stats.lines().find_map(|line| line.strip_prefix(cluster)?.strip_prefix(".upstream_rq_total: "));
            figure.map_or(Ok(0), |figure| figure.trim().parse().context("a count is a number"))
        };
        Ok((count(&name)?, count(&format!("{name}/plain"))?))
    }
}

/// Limits of each key that nobody reaches: one that paces, one by the minutes of an hour, one of a day.
fn three_limits() -> Value {
    json!([
        {"name": "requests", "of": "requests", "per": "minute", "max": 100_000_000},
        {"name": "tokens", "of": "tokens", "per": "hour", "max": 1_000_000_000},
        {"name": "money", "of": "spend", "per": "day", "max": 1_000_000},
    ])
}

/// The answer of a workload.
pub(crate) fn answer(workload: &Workload) -> anyhow::Result<&'static Answer> {
    ANSWERS.iter().find(|answer| answer.name == workload.answer).context("a workload without an answer")
}

/// Envoy with nothing that it does not need.
fn by_hand(dist: &Path, address: SocketAddr, upstream: SocketAddr, in_listener: bool, in_cluster: bool) -> Value {
    let typed = |name: &str, mut config: Value| {
        config["@type"] = json!(format!("type.googleapis.com/envoy.extensions.{name}"));
        config
    };
    let module = || {
        let config = json!({
            "name": "noop", "root_id": "noop",
            "vm_config": {"vm_id": "noop", "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": dist.join("noop.wasm")}}},
        });
        json!({"name": "noop", "typed_config": typed("filters.http.wasm.v3.Wasm", json!({ "config": config }))})
    };
    let socket =
        |address: SocketAddr| json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
    let mut filters =
        vec![json!({"name": "router", "typed_config": typed("filters.http.router.v3.Router", json!({}))})];
    if in_listener {
        filters.insert(0, module());
    }
    let manager = json!({
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}},
        ]}]},
        "http_filters": filters,
    });
    let mut cluster = json!({
        "name": "provider",
        "load_assignment": {"cluster_name": "provider", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(upstream)}}]}]},
    });
    if in_cluster {
        let codec =
            json!({"name": "codec", "typed_config": typed("filters.http.upstream_codec.v3.UpstreamCodec", json!({}))});
        let options = json!({"explicit_http_config": {"http_protocol_options": {}}, "http_filters": [module(), codec]});
        cluster["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("upstreams.http.v3.HttpProtocolOptions", options)});
    }
    let manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", manager);
    json!({"static_resources": {
        "listeners": [{"address": socket(address), "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}],
        "clusters": [cluster],
    }})
}

/// A file for the gateway: a provider an answer, one to spare, and one client key.
fn gateway_file(listen: &Value, upstream: SocketAddr, more: &Value) -> Value {
    let provider = |name: &str, kind: &str| {
        let version = if kind == "openai" { "/v1" } else { "" };
        let base_url = format!("http://{upstream}/{name}{version}");
        (name.to_owned(), json!({"kind": kind, "base_url": base_url, "credential": {"env": "BENCH_CREDENTIAL"}}))
    };
    let providers = ANSWERS.iter().map(|answer| provider(answer.name, answer.kind));
    let mut file = json!({
        "listen": listen,
        "providers": providers.chain([provider(SPARE, "openai")]).collect::<serde_json::Map<_, _>>(),
        "keys": [{"id": "bench", "sha256": KEY_SHA256, "models": ["whole/*", "*/model"]}],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        file[name] = value.clone();
    }
    file
}

fn rendered(dist: &Path, file: &Value) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("dragoman.json");
    fs::write(&path, file.to_string())?;
    let mut command = Command::new(dist.join("dragoman"));
    command.args(["render", "envoy", "--config"]).arg(&path).arg("--wasm").arg(dist.join("dragoman.wasm"));
    let output = command.output().context("`make wasm cli envoy` builds what is measured")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
