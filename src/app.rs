//! Builds everything, connects it, waits, drains: the only file that knows all parts.
//!
//! Whatever can fail is done in [`App::build`]; what is spawned has no errors of the start left.
//! Stop: unready → stop accepting → finish requests → flush → exit; every wait has a deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin;
use crate::delivery::{self, Delivery};
use crate::device;
use crate::gateway::Gateway;
use crate::ingest;
use crate::rollout::history::History;
use crate::rollout::live::Live;
use crate::rollout::source;
use crate::rollout::{self, Rollout};
use crate::settings::Settings;
use crate::tasks::Tasks;
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;

/// How long queued records may take to be acknowledged at the end.
const FLUSH: Duration = Duration::from_secs(15);
/// How long background tasks may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// The gateway, built and not yet serving.
#[derive(Debug)]
struct App {
    data_port: ingest::Server,
    admin_port: admin::Server,
    admin: Arc<admin::State>,
    rollout: Rollout,
    gateway: Arc<Gateway>,
    delivery: Delivery,
    tasks: Tasks,
    metrics: Metrics,
}

/// Runs the gateway until SIGTERM or SIGINT, or until a task fails.
pub fn serve(settings: &Settings, source: &source::Settings) -> anyhow::Result<()> {
    log::init(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("start the runtime")?;
    let done = runtime.block_on(async {
        let stop = Stop::listen().context("listen to signals")?;
        let app = App::build(settings, source).await?;
        app.run(stop).await
    });
    // Nothing is left to do: what still blocks a thread, a look at a cluster or a compilation, is not
    // waited for.
    runtime.shutdown_background();
    done
}

impl App {
    async fn build(settings: &Settings, source: &source::Settings) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&settings.state)
            .with_context(|| format!("make the state directory {}", settings.state.display()))?;
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        let tasks = Tasks::default();
        let live = Arc::new(Live::default());
        let history = Arc::new(History::default());
        let delivery = Delivery::new(
            delivery::Settings {
                memory: settings.records_in_flight.get(),
                files: settings.state.clone(),
            },
            metrics.clone(),
        );
        let gateway = Arc::new(Gateway::new(
            Arc::clone(&live),
            delivery.clone(),
            tasks.clone(),
            &settings.instance,
            metrics.clone(),
        ));
        let rollout = Rollout::open(&rollout::Parts {
            source,
            data: &settings.data(),
            state: &settings.state,
            settings: &settings.rollout,
            delivery: &delivery,
            devices: &device::Opener::new(&metrics, &tasks),
            live: &live,
            history: &history,
            metrics: &metrics,
            tasks: &tasks,
        })?;
        let admin = admin::State {
            live,
            history,
            control: rollout.control(),
            delivery: delivery.clone(),
            gateway: Arc::clone(&gateway),
            registry,
            instance: settings.instance.clone(),
        };
        Ok(Self {
            data_port: ingest::Server::bind(settings.listen, &settings.data_port)?,
            admin_port: admin::Server::bind(settings.admin, &settings.admin_port).await?,
            admin: Arc::new(admin),
            rollout,
            gateway,
            delivery,
            tasks,
            metrics,
        })
    }

    async fn run(self, mut stop: Stop) -> anyhow::Result<()> {
        let (data_port, admin_port) = (self.data_port.address(), self.admin_port.address()?);
        self.delivery.run(&self.tasks);
        self.rollout.spawn(&self.tasks);
        let admin = Arc::clone(&self.admin);
        self.admin_port.spawn(self.admin, &self.tasks);
        let data = self.data_port.spawn(self.gateway, &self.metrics);
        announce(data_port, admin_port);

        let failure = self.tasks.failure();
        let failed = tokio::select! {
            () = stop.asked() => false,
            () = failure.cancelled() => true,
        };
        tracing::info!("draining");
        admin.live.unready();
        let finished = data.drain().await;
        let given_up = self.delivery.close(FLUSH).await;
        let ended = self.tasks.drain(DRAIN).await;
        tracing::info!(finished, given_up, ended, "stopped");
        anyhow::ensure!(!failed, "a task failed; the log says which");
        Ok(())
    }
}

fn announce(data_port: SocketAddr, admin_port: SocketAddr) {
    tracing::info!(%data_port, %admin_port, "serving");
}

/// What asks the process to stop.
#[derive(Debug)]
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
