use hookhouse_core::EventId;

use super::*;

fn delivery(n: u64) -> DeliveryId {
    let event = EventId::with_position(Timestamp::UNIX_EPOCH, n, 0);
    DeliveryId { event, destination: "app".parse().unwrap(), round: 0 }
}

struct Bench {
    circuit: Circuit,
    now: Moment,
}

impl Bench {
    fn new() -> Self {
        let now = Moment { wall: Timestamp::UNIX_EPOCH, tick: Instant::now() };
        Self { circuit: Circuit::closed(), now }
    }

    fn pass(&mut self, pause: Duration) {
        self.now = self.now.after(pause);
    }

    fn report(&mut self, n: u64, role: Role, health: Health) -> Option<Change> {
        self.report_asking(n, role, health, None)
    }

    fn report_asking(
        &mut self,
        n: u64,
        role: Role,
        health: Health,
        retry_after: Option<Duration>,
    ) -> Option<Change> {
        let delivery = delivery(n);
        let cause = "answered 500";
        let report = Report { delivery: &delivery, role, health, retry_after, pause: None, cause };
        self.circuit.record(&report, self.now)
    }

    fn gate(&mut self) -> Gate {
        self.circuit.gate(self.now.tick)
    }

    fn open(&mut self) -> Change {
        for n in 0..FAILURES as u64 - 1 {
            assert_eq!(self.report(n, Role::Ordinary, Health::Failing), None);
        }
        self.report(99, Role::Ordinary, Health::Failing).expect("the last straw opens it")
    }
}

/// The table as a picture: a changed transition shows up in review as a changed graph.
#[test]
fn the_table_of_transitions() {
    let mut graph = String::from("digraph circuit {\n");
    for phase in Phase::ALL {
        for signal in Signal::ALL {
            if let Some(next) = phase.after(signal) {
                graph += &format!("  {phase:?} -> {next:?} [label={signal:?}]\n");
            }
        }
    }
    graph.push('}');
    insta::assert_snapshot!(graph, @r"
    digraph circuit {
      Closed -> Closed [label=Success]
      Closed -> Closed [label=Failure]
      Closed -> Open [label=LastStraw]
      Open -> Open [label=Success]
      Open -> Open [label=Failure]
      Open -> Open [label=LastStraw]
      Open -> HalfOpen [label=Due]
      HalfOpen -> HalfOpen [label=Success]
      HalfOpen -> HalfOpen [label=Failure]
      HalfOpen -> HalfOpen [label=LastStraw]
      HalfOpen -> Closed [label=ProbeSuccess]
      HalfOpen -> Open [label=ProbeFailure]
    }
    ");
}

#[tokio::test]
async fn it_opens_after_failures_in_a_row_and_not_before() {
    let mut bench = Bench::new();
    for n in 0..20 {
        assert_eq!(bench.report(n, Role::Ordinary, Health::Failing), None);
        if n % 4 == 3 {
            bench.report(n, Role::Ordinary, Health::Up);
        }
    }
    assert_eq!(bench.gate(), Gate::Free);
    let change = bench.open();
    assert_eq!(change.cause.as_deref(), Some("answered 500"));
    assert_eq!(change.open_until, Some(bench.now.wall + FIRST_PAUSE));
    assert_eq!(bench.gate(), Gate::Shut(bench.now.tick + FIRST_PAUSE));
}

#[tokio::test]
async fn a_poisoned_event_alone_opens_nothing_but_no_connection_does() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        assert_eq!(bench.report(1, Role::Ordinary, Health::Failing), None);
        assert_eq!(bench.report(2, Role::Ordinary, Health::Failing), None);
    }
    assert_eq!(bench.gate(), Gate::Free);
    bench.report(3, Role::Ordinary, Health::Up);
    let changes = (0..FAILURES).filter_map(|_| bench.report(1, Role::Ordinary, Health::Unreachable));
    assert_eq!(changes.count(), 1);
    // What ends late is not kept.
    for n in 0..1000 {
        assert_eq!(bench.report(n, Role::Ordinary, Health::Unreachable), None);
    }
    assert_eq!(bench.circuit.failures, []);
}

#[tokio::test]
async fn one_probe_at_a_time_at_growing_pauses_until_one_finds_it_well() {
    let mut bench = Bench::new();
    bench.open();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let Gate::Shut(until) = bench.gate() else { panic!("open") };
        pauses.push((until - bench.now.tick).as_secs());
        bench.pass(until - bench.now.tick);
        assert_eq!(bench.gate(), Gate::Probe);
        // Late answers of attempts that began before neither close it nor keep it open.
        assert_eq!(bench.report(5, Role::Ordinary, Health::Up), None);
        assert_eq!(bench.report(6, Role::Ordinary, Health::Failing), None);
        assert_eq!(bench.gate(), Gate::Probe);
        assert!(bench.report(7, Role::Probe, Health::Failing).is_some());
    }
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 60]);
    bench.pass(LONGEST_PAUSE);
    assert_eq!(bench.gate(), Gate::Probe);
    assert_eq!(bench.report(7, Role::Probe, Health::Untold), None);
    assert_eq!(bench.gate(), Gate::Probe, "a probe that was not sent tells nothing");
    assert_eq!(bench.report(7, Role::Probe, Health::Up), Some(Change { open_until: None, cause: None }));
    assert_eq!((bench.gate(), &bench.circuit), (Gate::Free, &Circuit::closed()));
}

#[tokio::test]
async fn retry_after_stretches_the_pause_up_to_its_bound() {
    for (asked, pause) in [(1, 5), (30, 30), (86_400, 60)] {
        let mut bench = Bench::new();
        for n in 0..FAILURES as u64 {
            bench.report_asking(n, Role::Ordinary, Health::Failing, Some(Duration::from_secs(asked)));
        }
        assert_eq!(bench.gate(), Gate::Shut(bench.now.tick + Duration::from_secs(pause)));
    }
}

/// Once is enough, whatever became of the delivery, and the pause may be longer than any other.
#[tokio::test]
async fn an_ordered_pause_opens_it_at_once_and_for_as_long_as_was_said() {
    let hours = |n: u64| Duration::from_secs(n * 60 * 60);
    for (health, ordered, pause) in [
        (Health::Failing, hours(1), hours(1)),
        (Health::Up, hours(1), hours(1)),
        (Health::Untold, hours(1), hours(1)),
        (Health::Failing, hours(100), LONGEST_ORDERED),
        (Health::Failing, Duration::ZERO, FIRST_PAUSE),
    ] {
        let mut bench = Bench::new();
        let order = |bench: &mut Bench, role| {
            let (delivery, cause) = (delivery(1), "no token");
            let (retry_after, pause) = (None, Some(ordered));
            let report = Report { delivery: &delivery, role, health, retry_after, pause, cause };
            bench.circuit.record(&report, bench.now)
        };
        let change = order(&mut bench, Role::Ordinary).expect("it opens");
        assert_eq!(
            (change.open_until, change.cause.as_deref()),
            (Some(bench.now.wall + pause), Some("no token"))
        );
        bench.pass(pause);
        assert_eq!(bench.gate(), Gate::Probe);
        assert!(order(&mut bench, Role::Probe).is_some(), "a probe that meets the same opens it again");
        assert_eq!(bench.circuit.phase(), Phase::Open);
        // A restart does not wait for hours.
        let mut again = Circuit::restored(bench.circuit.saved(), bench.now);
        let Gate::Shut(until) = again.gate(bench.now.tick) else { panic!("open") };
        assert!(until <= bench.now.tick + LONGEST_PAUSE);
    }
}

#[tokio::test]
async fn it_goes_on_after_a_restart_where_it_stood() {
    let mut bench = Bench::new();
    bench.open();
    let saved: Saved = serde_json::from_str(&serde_json::to_string(&bench.circuit.saved()).unwrap()).unwrap();
    bench.pass(Duration::from_secs(2));
    let mut again = Circuit::restored(saved.clone(), bench.now);
    assert_eq!(again.gate(bench.now.tick), Gate::Shut(bench.now.tick + Duration::from_secs(3)));
    assert_eq!(again.saved(), saved);
    // A clock that was set back a year does not keep it open for a year.
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let early = Moment { wall: bench.now.wall - year, tick: bench.now.tick };
    let mut again = Circuit::restored(saved, early);
    assert_eq!(again.gate(early.tick), Gate::Shut(early.tick + LONGEST_PAUSE));
    assert_eq!(Circuit::restored(Circuit::closed().saved(), bench.now), Circuit::closed());
}
