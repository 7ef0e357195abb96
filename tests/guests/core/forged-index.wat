;; Numbers that were never handles. The page chooses: eight numbers, each returned, asked for its key, asked
;; for its payload, and dropped.
(module
  (import "keyhole:strategy/log@0.1.0" "fetch" (func $fetch (param i32 i32 i32)))
  (import "keyhole:strategy/log@0.1.0" "[method]event.key" (func $key (param i32 i32)))
  (import "keyhole:strategy/log@0.1.0" "[resource-drop]event" (func $drop (param i32)))
  (import "keyhole:strategy/payloads@0.1.0" "read" (func $read (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 512)
    "\00\00\00\00" "\01\00\00\00" "\02\00\00\00" "\ff\ff\ff\ff"
    "\ff\ff\ff\7f" "\00\00\00\80" "\00\10\00\00" "\fe\ff\ff\1f")
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    ;; Never given back: the instance does not live long.
    (global.get $free)
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8))))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (local $number i32) (local $use i64)
    (local.set $use (i64.rem_u (i64.sub (local.get $page) (i64.const 1)) (i64.const 4)))
    (local.set $number
      (i32.load offset=512
        (i32.shl
          (i32.and
            (i32.wrap_i64 (i64.div_u (i64.sub (local.get $page) (i64.const 1)) (i64.const 4)))
            (i32.const 7))
          (i32.const 2))))
    (if (i64.eq (local.get $use) (i64.const 1))
      (then (call $key (local.get $number) (i32.const 256))))
    (if (i64.eq (local.get $use) (i64.const 2))
      (then (call $read (local.get $number) (i32.const 256))))
    (if (i64.eq (local.get $use) (i64.const 3))
      (then (call $drop (local.get $number))))
    (i32.store (i32.const 64) (local.get $number))
    (i32.store (i32.const 24) (i32.const 64))
    (i32.store (i32.const 28) (i32.const 1))
    (i32.const 16)))
