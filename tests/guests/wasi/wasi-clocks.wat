;; Looks for time that passes: both clocks, before and after some work; they must stand still.
(module
  (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/wall-clock@0.2.6" "now" (func $wall (param i32)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func $fail_if (param i32) (if (local.get 0) (then unreachable)))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (local $count i32)
    (local $before i64)
    (local.set $before (call $monotonic))
    (call $wall (i32.const 64))
    (loop $work
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $work (i32.lt_u (local.get $count) (i32.const 2000000))))
    (call $wall (i32.const 80))
    (call $fail_if (i64.ne (local.get $before) (call $monotonic)))
    (call $fail_if (i64.ne (i64.load (i32.const 64)) (i64.load (i32.const 80))))
    (call $fail_if (i32.ne (i32.load (i32.const 72)) (i32.load (i32.const 88))))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
