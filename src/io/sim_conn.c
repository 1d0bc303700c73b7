/*
 * Connections of the simulated network.
 *
 * What is written becomes a packet, which is an event: it arrives after a latency from the
 * seed, never before the one that was sent before.  Ends and resets are packets, too.  So an
 * end finds out that its peer has closed only when that arrives; what it writes
 * until then is lost, as with TCP.
 */
#include "io/sim_net.h"

#include <errno.h>
#include <string.h>

#include "io/sim_fault.h"

enum kind {
	DATA,
	END,			/* no more bytes */
	GONE,			/* and nobody who reads */
	RESET,			/* the bytes before it are lost, too; not those of Unix */
};

struct packet {
	struct leat__sim_event event;
	struct leat__list node;	/* in end->in */
	struct leat__sim_end *to;
	enum kind kind;
	bool arrived;
	size_t from, n, size;	/* bytes that are left: from..n; allocated: size */
	char bytes[];
};

static struct leat__sim_end *peer_of(struct leat__sim_end *end)
{
	return &end->conn->end[end == &end->conn->end[0]];
}

static struct packet *first_of(struct leat__sim_end *end)
{
	if (leat__list_is_empty(&end->in))
		return NULL;
	return leat__container_of(end->in.next, struct packet, node);
}

void leat__sim_wake(struct leat__io *io, uint32_t what)
{
	/* After a deadlock those who wait are not to be woken. */
	if (io && !leat__load_relaxed(&leat__rt->stopping))
		leat__io_event(io, what);
}

static void packet_free(struct packet *p)
{
	leat__sim_event_remove(&p->event);
	leat__list_remove(&p->node);
	p->to->used -= p->n - p->from;
	leat__free(p, p->size);
}

static void drop_all(struct leat__sim_end *end)
{
	struct packet *p;

	while ((p = first_of(end)) != NULL)
		packet_free(p);
}

/* A reset is what comes after the bytes, also if an end was before it. */
static void drop_end(struct leat__sim_end *end)
{
	leat__list_for_each(node, &end->in) {
		struct packet *p = leat__container_of(node, struct packet, node);

		if (p->kind == END) {
			packet_free(p);
			return;
		}
	}
}

static void arrive(struct leat__sim_event *event)
{
	struct packet *p = leat__container_of(event, struct packet, event);
	struct leat__sim_end *end = p->to;

	p->arrived = true;
	if (p->kind >= GONE)
		end->peer_gone = true;
	if (p->kind == RESET && end->conn->is_unix) {
		drop_end(end);
	} else if (p->kind == RESET) {
		end->error = -ECONNRESET;
		end->reset = true;
		drop_all(end);
	}
	leat__sim_wake(end->io, LEAT__READABLE | (end->peer_gone ? LEAT__WRITABLE : 0));
}

static void post(struct leat__sim_end *to, struct packet *p)
{
	struct leat__sim *sim = to->conn->sim;
	int64_t due = leat__sim_now(sim) + leat__sim_latency(sim);

	if (due < to->last_due)
		due = to->last_due;
	to->last_due = p->event.due = due;
	p->event.fire = arrive;
	leat__list_append(&to->in, &p->node);
	leat__sim_event_add(sim, &p->event);
}

static struct packet *packet_new(struct leat__sim_end *to, enum kind kind, size_t n)
{
	size_t size = sizeof(struct packet) + n;
	struct packet *p = leat__alloc(size);

	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->to = to;
	p->kind = kind;
	p->n = n;
	p->size = size;
	to->used += n;
	return p;
}

/* Without memory the peer hears of it at once, and not after what is on the way. */
static void notify(struct leat__sim_end *to, enum kind kind)
{
	struct packet *p;

	if (to->closed || to->reset)
		return;
	p = packet_new(to, kind, 0);
	if (p) {
		post(to, p);
		return;
	}
	to->error = -ECONNRESET;
	to->reset = to->peer_gone = true;
	leat__sim_wake(to->io, LEAT__READABLE | LEAT__WRITABLE);
}

struct leat__sim_conn *leat__sim_conn_new(struct leat__sim *sim, const leat_addr *client,
					  const leat_addr *server)
{
	struct leat__sim_conn *conn = leat__alloc(sizeof(*conn));

	if (!conn)
		return NULL;
	memset(conn, 0, sizeof(*conn));
	conn->sim = sim;
	conn->is_unix = server->_storage.ss_family == AF_UNIX;
	leat__list_init(&conn->node);
	for (int i = 0; i < 2; i++) {
		conn->end[i].conn = conn;
		leat__list_init(&conn->end[i].in);
	}
	conn->end[0].addr = *client;
	conn->end[1].addr = *server;
	return conn;
}

void leat__sim_end_close(struct leat__sim_end *end)
{
	struct leat__sim_conn *conn = end->conn;
	bool unread = end->used > 0;

	end->closed = true;
	end->io = NULL;
	drop_all(end);
	if (peer_of(end)->closed)
		leat__free(conn, sizeof(*conn));
	else
		notify(peer_of(end), unread ? RESET : GONE);
}

/* A fault, or what has happened before.  0: none. */
static int failure(struct leat__sim_end *end, const leat_sim_net *net)
{
	int r = end->error;

	if (r == 0 && !end->reset && leat__sim_happens(end->conn->sim, net->reset_one_in)) {
		r = -ECONNRESET;
		end->reset = end->peer_gone = true;
		drop_all(end);
		notify(peer_of(end), RESET);
	}
	end->error = 0;
	return r;
}

/* Up to n bytes of what has arrived, to buf. */
static size_t take(struct leat__sim_end *end, char *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct packet *p = first_of(end);
		size_t part;

		if (!p || !p->arrived || p->kind != DATA)
			break;
		part = p->n - p->from < n - done ? p->n - p->from : n - done;
		memcpy(buf + done, p->bytes + p->from, part);
		p->from += part;
		end->used -= part;
		done += part;
		if (p->from == p->n)
			packet_free(p);
	}
	return done;
}

static int64_t read_locked(struct leat__sim_end *end, const leat_sim_net *net,
			   const struct iovec *iov, int count)
{
	struct packet *p = first_of(end);
	size_t left, done = 0, part;
	int r = failure(end, net);

	if (r < 0)
		return r;
	if (p && p->arrived && p->kind == RESET) {
		p->kind = GONE;
		return -ECONNRESET;
	}
	if (end->reset || (p && p->arrived && p->kind != DATA))
		return 0;
	/* After a shutdown what has come is still there, and of Unix what is on the way. */
	if (!p || !p->arrived)
		return end->shut_read && !(p && end->conn->is_unix) ? 0 : -EAGAIN;
	left = leat__sim_shortened(end->conn->sim, net->short_one_in, leat__iov_size(iov, count));
	for (int i = 0; i < count && left > 0; i++) {
		size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

		part = take(end, iov[i].iov_base, n);
		done += part;
		left = part < n ? 0 : left - part;
	}
	leat__sim_wake(peer_of(end)->io, LEAT__WRITABLE);
	return (int64_t)done;
}

static int64_t sim_read(struct leat__io *io, const struct iovec *iov, int count)
{
	struct leat__sim_end *end = io->ctx;
	struct leat__sim *sim = end->conn->sim;
	int64_t r;

	leat__sim_lock(sim);
	r = read_locked(end, &leat__sim_network(sim)->options, iov, count);
	leat__sim_unlock(sim);
	return r;
}

static int64_t send_bytes(struct leat__sim_end *to, const struct iovec *iov, int count, size_t n)
{
	struct packet *p = packet_new(to, DATA, n);

	if (!p)
		return -ENOMEM;
	leat__iov_gather(p->bytes, iov, count, n);
	post(to, p);
	return (int64_t)n;
}

static int64_t write_locked(struct leat__sim_end *end, const leat_sim_net *net,
			    const struct iovec *iov, int count)
{
	struct leat__sim_end *to = peer_of(end);
	size_t n = leat__iov_size(iov, count);
	int r = failure(end, net);

	if (r < 0)
		return r;
	if (end->shut_write || end->peer_gone ||
	    (end->conn->is_unix && (to->closed || to->shut_read)))
		return -EPIPE;
	/* Nobody will read it, which end has yet to hear. */
	if (n == 0 || to->closed || to->reset || to->shut_read)
		return (int64_t)n;
	if (to->used >= net->buffer)
		return -EAGAIN;
	if (n > net->buffer - to->used)
		n = net->buffer - to->used;
	n = leat__sim_shortened(end->conn->sim, net->short_one_in, n);
	return send_bytes(to, iov, count, n);
}

static int64_t sim_write(struct leat__io *io, const struct iovec *iov, int count)
{
	struct leat__sim_end *end = io->ctx;
	struct leat__sim *sim = end->conn->sim;
	int64_t r;

	leat__sim_lock(sim);
	r = write_locked(end, &leat__sim_network(sim)->options, iov, count);
	leat__sim_unlock(sim);
	return r;
}

static uint32_t sim_possible(struct leat__io *io, uint32_t what)
{
	struct leat__sim_end *end = io->ctx, *to = peer_of(end);
	struct leat__sim *sim = end->conn->sim;
	uint32_t now = 0;
	struct packet *p;

	leat__sim_lock(sim);
	p = first_of(end);
	if (end->error < 0 || end->reset || end->shut_read || (p && p->arrived))
		now |= LEAT__READABLE;
	if (end->error < 0 || end->peer_gone || end->shut_write || to->closed ||
	    to->used < leat__sim_network(sim)->options.buffer)
		now |= LEAT__WRITABLE;
	leat__sim_unlock(sim);
	return now & what;
}

static void sim_close(struct leat__io *io)
{
	struct leat__sim_end *end = io->ctx;
	struct leat__sim *sim;

	/* Of an accept or connect that a deadlock has left behind. */
	if (!end)
		return;
	sim = end->conn->sim;
	leat__sim_lock(sim);
	leat__sim_end_close(end);
	leat__sim_unlock(sim);
}

const struct leat__io_ops leat__sim_stream_ops = {
	.name = "simulated socket",
	.read = sim_read,
	.write = sim_write,
	.possible = sim_possible,
	.close = sim_close,
};

int leat__sim_shutdown(struct leat__io *io, unsigned how)
{
	struct leat__sim_end *end = io->ctx;
	struct leat__sim *sim;

	if (leat__sim_is_listener(io))
		return -ENOTCONN;
	if (leat__sim_is_datagram(io))
		return leat__sim_datagram_shutdown(io, how);
	sim = end->conn->sim;
	leat__sim_lock(sim);
	if ((how & LEAT_WRITABLE) && !end->shut_write) {
		end->shut_write = true;
		notify(peer_of(end), END);
	}
	if (how & LEAT_READABLE) {
		end->shut_read = true;
		leat__sim_wake(peer_of(end)->io, LEAT__WRITABLE); /* full, it would wait for us */
	}
	leat__sim_wake(end->io, how);
	leat__sim_unlock(sim);
	return 0;
}
