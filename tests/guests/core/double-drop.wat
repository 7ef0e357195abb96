;; Drops a handle twice.
(module
  (import "keyhole:strategy/log@0.1.0" "fetch" (func $fetch (param i32 i32 i32)))
  (import "keyhole:strategy/log@0.1.0" "[resource-drop]event" (func $drop (param i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    ;; Never given back: the instance does not live long.
    (global.get $free)
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8))))
  ;; A handle of event 1.
  (func $one (result i32)
    (i64.store (i32.const 128) (i64.const 1))
    (call $fetch (i32.const 128) (i32.const 1) (i32.const 192))
    ;; ok: where the list lies stands behind the case.
    (i32.load (i32.load (i32.const 200))))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (local $event i32)
    (local.set $event (call $one))
    (call $drop (local.get $event))
    (call $drop (local.get $event))
    ;; An empty page: ok, and no events.
    (i32.const 16)))
