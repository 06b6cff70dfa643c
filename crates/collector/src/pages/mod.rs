//! What people see: one file a page, a view struct and its template. No queries, no state.
