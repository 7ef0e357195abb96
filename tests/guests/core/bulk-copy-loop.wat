;; Fills and copies 62 MiB over and over: single instructions that take long, between which alone a
;; deadline can strike.
(module
  (memory (export "memory") 1000)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param $from i64) (param $to i64) (param $has-actor i32) (param $actor i64)
    (param $has-action i32) (param $action i32) (param $action-len i32)
    (param $position i32) (param $page i64) (param $key-id i64)
    (param $page-size i32) (param $has-up-to i32) (param $up-to i64) (result i32)
    (loop $again
      (memory.fill (i32.const 1024) (i32.const 85) (i32.const 65000000))
      (memory.copy (i32.const 1024) (i32.const 2048) (i32.const 65000000))
      (br $again))
    (unreachable)))
