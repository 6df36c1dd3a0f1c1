//! Notices of changes, by the Nacos library's own protocol. They are hints: a deletion is never
//! told, nor the first value of a document that was missing, and after an outage the library is
//! silent for up to 40 s. So they only nudge, and whoever is nudged reads by HTTP, as does a timer.
//!
//! There is one connection for the life of the process, because the library leaks one that is
//! dropped. For the same reason it is only made once Nacos answers by HTTP. The library insists on
//! keeping what it is told in a folder, which nothing reads, and on loading a file `.env` of the
//! working directory, which our own settings have passed by then.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nacos_sdk::api::config::{
    ConfigChangeListener, ConfigResponse, ConfigService, ConfigServiceBuilder,
};
use nacos_sdk::api::plugin::{AuthContext, AuthPlugin, LoginIdentityContext, RequestResource};
use nacos_sdk::api::props::ClientProps;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::center::nacos::Nacos;
use crate::tasks::{Drained, Tasks};

/// How long the library may take for one call; it has no deadlines of its own.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Nudges when a document that is listened to may have changed. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Listener {
    nudge: Arc<Notify>,
    wanted: Arc<watch::Sender<BTreeSet<String>>>,
}

impl Listener {
    /// Begins to listen, in the background and until the process drains, whether Nacos is there or
    /// not. `folder` is the library's own.
    pub fn spawn(nacos: &Nacos, folder: &Path, tasks: &Tasks) -> Self {
        let (wanted, receiver) = watch::channel(BTreeSet::new());
        let nudge = Arc::new(Notify::new());
        let task = Task {
            nacos: nacos.clone(),
            folder: folder.to_owned(),
            nudge: Arc::clone(&nudge),
            wanted: receiver,
            listened: BTreeMap::new(),
        };
        let stop = tasks.stop_signal();
        tasks.spawn("nacos listener", async move {
            tokio::select! {
                () = stop.cancelled() => Ok(Drained),
                never = task.run() => match never {},
            }
        });
        Self {
            nudge,
            wanted: Arc::new(wanted),
        }
    }

    /// Listens to these documents, and to no others any more.
    pub fn listen(&self, data_ids: BTreeSet<String>) {
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != data_ids;
            *wanted = data_ids;
            differs
        });
    }

    /// Waits until something may have changed since the last call.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }
}

#[derive(Debug)]
struct Task {
    nacos: Nacos,
    folder: PathBuf,
    nudge: Arc<Notify>,
    wanted: watch::Receiver<BTreeSet<String>>,
    listened: BTreeMap<String, Arc<Nudge>>,
}

impl Task {
    async fn run(mut self) -> Infallible {
        if self
            .nacos
            .servers()
            .iter()
            .any(|server| server.scheme() == "https")
        {
            tracing::info!("nacos is reached by TLS, which its library cannot; changes are polled");
            std::future::pending::<()>().await;
        }
        let service = self.connect().await;
        tracing::info!(server = self.nacos.server(), "listening to nacos");
        let mut pause = FIRST_PAUSE;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if self.follow(&service, &wanted).await {
                pause = FIRST_PAUSE;
                if self.wanted.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            } else {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
    }

    /// Tries for ever.
    async fn connect(&self) -> ConfigService {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_to_connect().await {
                Ok(service) => return service,
                Err(reason) if pause == FIRST_PAUSE => {
                    tracing::warn!(reason, "nacos gives no notices yet; changes are polled");
                }
                Err(reason) => tracing::debug!(reason, "nacos gives no notices yet"),
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn try_to_connect(&self) -> Result<ConfigService, String> {
        self.nacos.ping().await.map_err(|error| error.to_string())?;
        let servers = self.nacos.servers().iter();
        let addresses: Vec<_> = servers
            .filter_map(|url| {
                Some(format!(
                    "{}:{}",
                    url.host_str()?,
                    url.port_or_known_default()?
                ))
            })
            .collect();
        let properties = ClientProps::new()
            .env_first(false)
            .server_addr(addresses.join(","))
            .namespace(self.nacos.namespace())
            .app_name("weir")
            .cache_dir(&self.folder);
        let build = ConfigServiceBuilder::new(properties)
            .with_auth_plugin(Arc::new(Identity(self.nacos.clone())))
            .build();
        match timeout(PATIENCE, build).await {
            Ok(Ok(service)) => Ok(service),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("its port for notices (the port of HTTP + 1000) is silent".to_owned()),
        }
    }

    /// Listens to what is wanted. False if something is left to be done.
    async fn follow(&mut self, service: &ConfigService, wanted: &BTreeSet<String>) -> bool {
        let group = self.nacos.group().to_owned();
        let dropped: Vec<_> = self
            .listened
            .keys()
            .filter(|id| !wanted.contains(*id))
            .cloned()
            .collect();
        for data_id in dropped {
            if let Some(listener) = self.listened.remove(&data_id) {
                let removal = service.remove_listener(data_id, group.clone(), listener);
                // What stays behind nudges once too often.
                let _late = timeout(PATIENCE, removal).await;
            }
        }
        let new: Vec<_> = wanted
            .iter()
            .filter(|id| !self.listened.contains_key(*id))
            .cloned()
            .collect();
        if new.is_empty() {
            return true;
        }
        // The library takes a refusal, or an outage, for a missing document.
        if self.nacos.ping().await.is_err() {
            return false;
        }
        for data_id in new {
            let listener = Arc::new(Nudge(Arc::clone(&self.nudge)));
            let added = service.add_listener(data_id.clone(), group.clone(), listener.clone());
            if !matches!(timeout(PATIENCE, added).await, Ok(Ok(()))) {
                return false;
            }
            self.listened.insert(data_id, listener);
        }
        // What changed between the last read and now has not been told.
        self.nudge.notify_one();
        true
    }
}

/// Returns at once: it runs on the library's only thread.
#[derive(Debug)]
struct Nudge(Arc<Notify>);

impl ConfigChangeListener for Nudge {
    fn notify(&self, _: ConfigResponse) {
        self.0.notify_one();
    }
}

/// The library's requests carry the token that our own calls keep fresh.
struct Identity(Nacos);

impl AuthPlugin for Identity {
    fn login<'this, 'out>(
        &'this self,
        _: Arc<Vec<String>>,
        _: Arc<AuthContext>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'out>>
    where
        'this: 'out,
        Self: 'out,
    {
        Box::pin(async {})
    }

    fn get_login_identity(&self, _: RequestResource) -> LoginIdentityContext {
        let token = self.0.token();
        let token = token.map(|token| ("accessToken".to_owned(), token.expose().to_owned()));
        LoginIdentityContext::default().add_contexts(HashMap::from_iter(token))
    }
}
