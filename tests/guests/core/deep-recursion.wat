;; A function that calls itself without end.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func $down (param $depth i64) (result i64)
    (i64.add (call $down (i64.add (local.get $depth) (i64.const 1))) (i64.const 1)))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (drop (call $down (i64.const 0)))
    ;; An empty page: ok, and no events.
    (i32.const 16)))
