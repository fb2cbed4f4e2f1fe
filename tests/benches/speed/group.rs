//! Work, and those who do it.

/// The name that ours go by.
pub(crate) const OURS: &str = "dunlin";

/// One who does the work: `run(n)` does it `n` times.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut(u32)>,
    /// So much of this one's time ours may take, at most.
    pub(crate) ratio_max: Option<f64>,
}

/// What ours must reach.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// So many nanoseconds a turn at most.
    Nanos(f64),
    /// So many million turns a second at least.
    Millions(f64),
}

/// The same work, done by ours first and then by peers.
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) cases: Vec<Case>,
    /// Bytes a turn, where throughput is what matters.
    pub(crate) bytes: Option<usize>,
    pub(crate) target: Option<Target>,
    /// Whether `--instructions` counts it.
    pub(crate) is_counted: bool,
    /// Most instructions that ours may take.
    pub(crate) instructions_max: Option<u32>,
}

impl Group {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            cases: Vec::new(),
            bytes: None,
            target: None,
            is_counted: false,
            instructions_max: None,
        }
    }

    /// Adds one who does the work; the loop is compiled with it, so that a turn is not a call.
    pub(crate) fn case(self, name: &'static str, turn: impl FnMut() + 'static) -> Self {
        self.add(name, None, turn)
    }

    /// The same for a peer of whose time ours must not take more than `ratio_max`.
    pub(crate) fn peer(
        self,
        name: &'static str,
        ratio_max: f64,
        turn: impl FnMut() + 'static,
    ) -> Self {
        self.add(name, Some(ratio_max), turn)
    }

    pub(crate) fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes);
        self
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    pub(crate) fn counted(mut self) -> Self {
        self.is_counted = true;
        self
    }

    pub(crate) fn instructions_max(mut self, most: u32) -> Self {
        self.instructions_max = Some(most);
        self.counted()
    }

    fn add(
        mut self,
        name: &'static str,
        ratio_max: Option<f64>,
        mut turn: impl FnMut() + 'static,
    ) -> Self {
        let run = Box::new(move |turns| {
            for _ in 0..turns {
                turn();
            }
        });
        self.cases.push(Case { name, run, ratio_max });
        self
    }
}
