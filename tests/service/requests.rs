//! One request's way: waited for on a thread or as a future, let go of, turned away, cut at the end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::site::{Site, ask, from, ids, shut, until};

/// A service on one worker, whose strategy spins for ever on every request.
fn spinning() -> Site {
    let mut site = Site::new(1_000);
    site.serve += "\nactive = \"spin-in-page\"";
    site.guest_time = "60s";
    site.let_in("spin-in-page");
    (site.workers, site.queue) = (1, 3);
    site
}

struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_future_is_woken_with_the_same_page_that_a_thread_waits_for() {
    let site = Site::new(1_000);
    let service = site.open();
    let right = ids(&ask(&service, &from(i64::MIN, 2, 10)).page.unwrap());
    let woken = Arc::new(Woken(AtomicU64::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    for _ in 0..200 {
        let before = woken.0.load(SeqCst);
        let mut pending = Box::pin(service.submit(from(i64::MIN, 2, 10)).unwrap());
        let mut context = Context::from_waker(&waker);
        let answered = match pending.as_mut().poll(&mut context) {
            Poll::Ready(answered) => answered,
            Poll::Pending => {
                until("it is woken", || woken.0.load(SeqCst) > before);
                match pending.as_mut().poll(&mut context) {
                    Poll::Ready(answered) => answered,
                    Poll::Pending => panic!("woken without an answer"),
                }
            }
        };
        assert_eq!(ids(&answered.page.unwrap()), right);
        assert!(answered.served > Duration::ZERO);
    }
    assert_eq!(service.high_water().unwrap(), 1_000);
    shut(&service);
}

/// Whatever the moment at which its client goes: the worker is free for the next one.
#[test]
fn a_request_that_was_let_go_of_frees_its_worker_and_its_place() {
    let site = spinning();
    let service = site.open();
    let standing = || service.state().active.unwrap();
    let mut slowest = Duration::ZERO;
    for round in 0..60_u64 {
        let pending = service.submit(from(i64::MIN, 1, 10)).unwrap();
        let waiting = service.submit(from(i64::MIN, 1, 10)).unwrap();
        std::thread::sleep(Duration::from_micros(round * 150));
        let began = Instant::now();
        drop(waiting);
        drop(pending);
        until("it is free", || standing().in_flight == 0);
        slowest = slowest.max(began.elapsed());
    }
    println!("slowest of 60 cancelled requests: {slowest:?}");
    assert_eq!(service.state().queued, 0);
    shut(&service);
}

#[test]
fn load_is_shed_at_once_when_the_queue_is_full() {
    let site = spinning();
    let service = site.open();
    let running = service.submit(from(i64::MIN, 1, 10)).unwrap();
    until("it runs", || service.state().queued == 0);
    let waiting: Vec<_> = (0..3).map(|_| service.submit(from(i64::MIN, 1, 10)).unwrap()).collect();
    let began = Instant::now();
    assert_eq!(service.submit(from(i64::MIN, 1, 10)).unwrap_err().code(), "overloaded");
    assert!(began.elapsed() < Duration::from_secs(10), "it does not wait to say so");
    assert_eq!((service.state().queued, service.state().shed), (3, 1));
    drop(waiting);
    assert_eq!(service.state().queued, 0, "who goes away takes nobody's place");
    assert!(service.submit(from(i64::MIN, 1, 10)).is_ok());
    drop(running);
    shut(&service);
}

#[test]
fn the_end_answers_whom_it_can_cuts_the_rest_and_lets_nobody_in() {
    let site = Site::new(1_000);
    let service = site.open();
    let pending: Vec<_> =
        (0..40).map(|page| service.submit(from(i64::MIN, page % 9 + 1, 10)).unwrap()).collect();
    let drained = service.shutdown(Duration::from_mins(1));
    assert_eq!(drained.cut, 0, "{drained:?}");
    for pending in pending {
        assert_eq!(pending.wait().page.unwrap().len(), 10);
    }
    assert_eq!(service.submit(from(i64::MIN, 1, 10)).unwrap_err().code(), "shutting-down");
    assert!(drained.head.unwrap().contains(':'));

    let site = spinning();
    let service = site.open();
    let pending: Vec<_> = (0..3).map(|_| service.submit(from(i64::MIN, 1, 10)).unwrap()).collect();
    let began = Instant::now();
    let drained = service.shutdown(Duration::from_millis(300));
    assert_eq!((drained.had, drained.finished, drained.cut), (3, 0, 3), "{drained:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "an endless page ends: {:?}", began.elapsed());
    for pending in pending {
        assert_eq!(pending.wait().page.unwrap_err().code(), "shutting-down");
    }
}

#[test]
fn a_service_that_is_dropped_leaves_no_request_unanswered() {
    let site = spinning();
    let service = site.open();
    let pending: Vec<_> = (0..3).map(|_| service.submit(from(i64::MIN, 1, 10)).unwrap()).collect();
    drop(service);
    for pending in pending {
        pending.wait().page.unwrap_err();
    }
}
