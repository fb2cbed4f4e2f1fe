//! Clients, their runners and servers in one thread, where every step is the test's.
//!
//! A future is polled only when it was woken, so that a forgotten wake-up shows as standstill.

mod broker;
mod clock;
mod pipe;
mod server;

pub(crate) use broker::{Broker, keep_connected};
pub(crate) use clock::Clock;
use dunlin_embassy::{
    Client, Error, Fixed, Line, Resources,
    dunlin::{Config, Connect, Transport, Version},
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use pipe::{Pipe, Reader, Writer};
pub(crate) use server::Server;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// More turns than any test needs: what takes longer stands still.
const TURNS_MAX: usize = 100_000;

pub(crate) type Handle<'r> = Client<'r, NoopRawMutex, 4>;
pub(crate) type Memory<'r> = Resources<'r, NoopRawMutex, 256, 256, 512, 512, 4, 64>;

/// Whether somebody was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A future that is polled when it was woken.
pub(crate) struct Task<'f, T> {
    future: Pin<Box<dyn Future<Output = T> + 'f>>,
    flag: Arc<Flag>,
}

impl<'f, T> Task<'f, T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'f) -> Self {
        Self { future: Box::pin(future), flag: Arc::new(Flag(AtomicBool::new(true))) }
    }

    fn was_woken(&self) -> bool {
        self.flag.0.load(Ordering::SeqCst)
    }

    /// Polls it, if it was woken.
    fn step(&mut self) -> Option<T> {
        if !self.flag.0.swap(false, Ordering::SeqCst) {
            return None;
        }
        let waker = Waker::from(Arc::clone(&self.flag));
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

/// Runners at work, with servers at the other ends of their lines.
#[derive(Default)]
pub(crate) struct World<'w> {
    runners: Vec<Task<'w, Error>>,
    servers: Vec<&'w Server>,
}

impl<'w> World<'w> {
    /// One more runner, at work.
    pub(crate) fn run(&mut self, runner: impl Future<Output = Error> + 'w) {
        self.runners.push(Task::new(runner));
    }

    /// One more server.
    pub(crate) fn serve(&mut self, server: &'w Server) {
        self.servers.push(server);
    }

    /// How many runners are still at work.
    pub(crate) fn running(&self) -> usize {
        self.runners.len()
    }

    /// One turn of everything; says whether anything was to be done.
    fn turn(&mut self) -> bool {
        let woken = self.runners.iter().any(Task::was_woken);
        // A runner ends only when the program wants it to.
        self.runners.retain_mut(|runner| match runner.step() {
            Some(Error::Closed) => false,
            Some(error) => panic!("the runner has ended: {error}"),
            None => true,
        });
        let busy = self.servers.iter().filter(|server| server.turn()).count();
        busy > 0 || woken
    }

    /// Goes on until nothing is to be done.
    pub(crate) fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn() {
                return;
            }
        }
        panic!("no rest after {TURNS_MAX} turns");
    }

    /// Goes on until `future` is ready.
    pub(crate) fn finish<T>(&mut self, future: impl Future<Output = T>) -> T {
        self.cut(future, usize::MAX).expect("it ends")
    }

    /// What `future` has at once, if anything.
    pub(crate) fn poll_once<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        Task::new(future).step()
    }

    /// Polls `future` once, which is not its end.
    pub(crate) fn begin<'f, T>(
        &mut self,
        future: impl Future<Output = T> + 'f,
    ) -> Pin<Box<dyn Future<Output = T> + 'f>> {
        let mut task = Task::new(future);
        assert!(task.step().is_none(), "it has ended already");
        task.future
    }

    /// Polls `future` at most `polls` times, with everything else going on, then drops it.
    pub(crate) fn cut<T>(&mut self, future: impl Future<Output = T>, polls: usize) -> Option<T> {
        let mut task = Task::new(future);
        let mut polled = 0;
        for _ in 0..TURNS_MAX {
            let woken = task.was_woken();
            if woken && polled == polls {
                return None;
            }
            polled += usize::from(woken);
            if let Some(output) = task.step() {
                return Some(output);
            }
            let busy = self.turn();
            assert!(busy || task.was_woken(), "standstill: nobody was woken");
        }
        panic!("no end after {TURNS_MAX} turns");
    }
}

/// Runs `test` with a client of this version whose line carries `chunk` bytes at a time.
pub(crate) fn with_client(
    version: Version,
    chunk: usize,
    test: impl FnOnce(Handle<'_>, &mut dyn FnMut(&mut dyn FnMut(&mut World<'_>)), &Server),
) {
    with_config(Config::new().version(version), chunk, test);
}

/// The same for a client whose session is to be like this.
pub(crate) fn with_config(
    config: Config,
    chunk: usize,
    test: impl FnOnce(Handle<'_>, &mut dyn FnMut(&mut dyn FnMut(&mut World<'_>)), &Server),
) {
    let connect = Connect { version: config.version, ..Connect::new("test") };
    with_connect(config, connect, chunk, test);
}

/// The same for a client that introduces itself like this.
pub(crate) fn with_connect(
    config: Config,
    connect: Connect<'_>,
    chunk: usize,
    test: impl FnOnce(Handle<'_>, &mut dyn FnMut(&mut dyn FnMut(&mut World<'_>)), &Server),
) {
    let version = config.version;
    let _still = Clock::still();
    let (up, down) = (Pipe::new(chunk), Pipe::new(chunk));
    let server = Server::new(version, up.clone(), down.clone());
    let mut memory = Memory::new();
    let (client, mut runner) = memory.client(config);
    let mut line = Line { reader: Reader(down), writer: Writer(up) };
    let mut access = Fixed { transport: Transport::Stream, connect };
    // Each call is one life of the runner.
    let mut live = |act: &mut dyn FnMut(&mut World<'_>)| {
        server.forget_connection();
        let mut random = |bytes: &mut [u8]| bytes.fill(7);
        let mut world = World::default();
        world.run(runner.run(&mut line, &mut access, &mut random));
        world.serve(&server);
        act(&mut world);
    };
    test(client, &mut live, &server);
}
