/* The database of connection_pool.c: SQLite, which blocks, and knows nothing of leat. */
#ifndef ORDERS_H
#define ORDERS_H

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>

struct question {
	int customer, cents;
};

struct connection {
	sqlite3 *db;
	sqlite3_stmt *total;
	struct question *now;
};

static inline int orders_disconnect(struct connection *c)
{
	sqlite3_finalize(c->total);
	return sqlite3_close(c->db) == SQLITE_OK ? 0 : -EBUSY;
}

/* In memory, so that nothing is left; a path does as well. */
static inline int orders_open(struct connection *c)
{
	static const char path[] = "file:orders?mode=memory&cache=shared";

	return sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
}

static inline int orders_create(struct connection *c)
{
	static const char fill[] =
		"CREATE TABLE orders (customer INTEGER, cents INTEGER);"
		"WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999) "
		"INSERT INTO orders SELECT i % 12, i FROM n";

	if (orders_open(c) == SQLITE_OK && sqlite3_exec(c->db, fill, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	orders_disconnect(c);
	return -EIO;
}

static inline int orders_connect(struct connection *c)
{
	static const char total[] = "SELECT sum(cents) FROM orders WHERE customer = ?";

	if (orders_open(c) == SQLITE_OK &&
	    sqlite3_prepare_v2(c->db, total, -1, &c->total, NULL) == SQLITE_OK)
		return 0;
	orders_disconnect(c);
	return -EIO;
}

/* What the customer has ordered; -ENOENT: nothing. */
static inline int orders_ask(struct connection *c)
{
	bool found;

	sqlite3_bind_int(c->total, 1, c->now->customer);
	found = sqlite3_step(c->total) == SQLITE_ROW &&
		sqlite3_column_type(c->total, 0) == SQLITE_INTEGER;
	c->now->cents = sqlite3_column_int(c->total, 0);
	return sqlite3_reset(c->total) != SQLITE_OK ? -EIO : found ? 0 : -ENOENT;
}

#endif
