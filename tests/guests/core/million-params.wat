;; Sends a statement with a million parameters, all of them NULL, as memory is when it is new.
(module
  (import "keyhole:strategy/log@0.1.0" "query" (func $query (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 300)
  (data (i32.const 512) "SELECT 1")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (call $query (i32.const 512) (i32.const 8) (i32.const 65536) (i32.const 1000000) (i32.const 1024))
    ;; An empty page: ok, and no events.
    (i32.const 16)))
