//! `cargo bench --locked -p keyhole-boundary`: measures every crossing in every place on every engine. With `--test`
//! each is played once and its sum compared; `cargo test` does the same.

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark that cannot go on ends there")]

use std::sync::{Arc, LazyLock, OnceLock};

use divan::{Bencher, black_box};
use keyhole_boundary::Crossing;
use keyhole_boundary::rows::Rows;
use keyhole_boundary::side::Side;

fn main() {
    divan::main();
}

static ROWS: LazyLock<Arc<Rows>> = LazyLock::new(Arc::default);

/// What can end a guest that does not end by itself, as a setting of an engine.
trait Switches {
    const EPOCHS: bool;
    const FUEL: bool;

    fn side() -> &'static Side {
        static SIDES: [OnceLock<Side>; 4] = [const { OnceLock::new() }; 4];
        let at = usize::from(Self::EPOCHS) + 2 * usize::from(Self::FUEL);
        SIDES[at].get_or_init(|| {
            Side::new(Self::EPOCHS, Self::FUEL, Arc::clone(&ROWS)).expect("the guest is compiled")
        })
    }
}

macro_rules! switches {
    ($($name:ident, $epochs:literal, $fuel:literal;)*) => {$(
        struct $name;
        impl Switches for $name {
            const EPOCHS: bool = $epochs;
            const FUEL: bool = $fuel;
        }
    )*};
}

// `Epochs` is what Keyhole serves with.
switches! { Neither, false, false; Epochs, true, false; Fuel, false, true; Both, true, true; }

/// The work of a shape in the host: the same without a boundary.
#[divan::bench(args = Crossing::of_rows())]
fn native(bencher: Bencher<'_, '_>, crossing: Crossing) {
    let right = ROWS.sum(crossing);
    bencher.bench(|| crossing.checked(ROWS.native(black_box(crossing)), right).expect("the sum is right"));
}

/// A call into an instance that is kept.
#[divan::bench(types = [Epochs, Neither, Fuel, Both], args = Crossing::all())]
fn warm<S: Switches>(bencher: Bencher<'_, '_>, crossing: Crossing) {
    let (side, right) = (S::side(), ROWS.sum(crossing));
    let mut instance = side.instance().expect("there is an instance");
    bencher.bench_local(|| {
        crossing.checked(side.call(&mut instance, black_box(crossing)), right).expect("the sum is right")
    });
}

/// A call into an instance that is made for it and dropped after it.
#[divan::bench(types = [Epochs, Neither, Fuel, Both], args = Crossing::all())]
fn fresh<S: Switches>(bencher: Bencher<'_, '_>, crossing: Crossing) {
    let (side, right) = (S::side(), ROWS.sum(crossing));
    bencher.bench_local(|| {
        let sum = side.instance().and_then(|mut made| side.call(&mut made, black_box(crossing)));
        crossing.checked(sum, right).expect("the sum is right")
    });
}
