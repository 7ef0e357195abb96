;; Fills and copies a table of the largest size over and over.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (table $table 20000 funcref)
  (func $any)
  (elem declare func $any)
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (loop $again
      (table.fill $table (i32.const 0) (ref.func $any) (i32.const 20000))
      (table.copy $table $table (i32.const 0) (i32.const 1) (i32.const 19999))
      (br $again))
    (unreachable)))
