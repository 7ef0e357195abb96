;; Two functions that call each other without end, one of them through a table.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (type $step (func (param i64) (result i64)))
  (table $steps 1 funcref)
  (elem (table $steps) (i32.const 0) func $there)
  (func $here (type $step)
    (i64.add (call_indirect $steps (type $step) (i64.add (local.get 0) (i64.const 1)) (i32.const 0)) (i64.const 1)))
  (func $there (type $step)
    (i64.mul (call $here (i64.add (local.get 0) (i64.const 1))) (i64.const 3)))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (drop (call $here (i64.const 0)))
    ;; An empty page: ok, and no events.
    (i32.const 16)))
