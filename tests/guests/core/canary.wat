;; Looks for anything that another instance left in its memory or its table, traps if there is something,
;; and leaves a mark everywhere. Answers with an empty page.
(module
  (memory (export "memory") 16)
  (table $table 1000 funcref)
  (func $mark)
  (elem declare func $mark)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func $search
    (local $at i32)
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.shl (memory.size) (i32.const 16)))))
    (local.set $at (i32.const 0))
    (loop $next
      (if (i32.eqz (ref.is_null (table.get $table (local.get $at)))) (then (unreachable)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 1000)))))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    ;; What is grown must be as empty as what was there.
    (drop (memory.grow (i32.const 16)))
    (call $search)
    (memory.fill (i32.const 0) (i32.const 165) (i32.shl (memory.size) (i32.const 16)))
    (table.fill $table (i32.const 0) (ref.func $mark) (i32.const 1000))
    (i64.store (i32.const 16) (i64.const 0))
    (i64.store (i32.const 24) (i64.const 0))
    (i32.const 16)))
