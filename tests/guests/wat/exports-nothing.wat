;; A component that is valid and empty: it exports no paging, so it cannot be a strategy.
(component)
