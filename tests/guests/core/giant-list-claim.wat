;; Answers with a list that claims 2^32 - 1 events and has none.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    ;; The answer lies at 16: ok, then where the list lies and how long it is.
    (i32.store (i32.const 24) (i32.const 64))
    (i32.store (i32.const 28) (i32.const -1))
    (i32.const 16)))
