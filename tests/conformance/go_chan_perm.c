/*
 * Rewritten from Go's test/chan/perm.go: what the compiler must refuse.
 *
 * go_chan_perm.sh compiles this file: as it is, with every first alternative,
 * which must work; then once for each number n with -DBAD_n, which puts the
 * second alternative of PICK(n, good, bad) in the first one's place, and must
 * not compile.  So each refused program differs from the accepted one in one
 * statement.  Also compiled as C++.
 *
 * ASSIGN(n, good, bad) is the same for assignments and arguments: there C asks
 * for a diagnostic, which was a warning until gcc 14 and clang 16, so that C
 * needs -Werror=incompatible-pointer-types and -Werror=int-conversion.
 */
#include <leat/leat.h>

/* BAD_n, defined as "~, ~", pushes good out of the third place. */
#define PICK(n, good, bad) PICK_(BAD_##n, bad, good, )
#define ASSIGN(n, good, bad) PICK_(BAD_##n, bad, good, )
#define PICK_(...) PICK__(__VA_ARGS__)
#define PICK__(a, b, c, ...) c

struct point {
	int x, y;
};
struct pixel {
	int x, y;
};

void assign(leat_chan(int) c, leat_sender(int) cs, leat_receiver(int) cr);
void operate(leat_chan(int) c, leat_sender(int) cs, leat_receiver(int) cr);
int in_select(leat_chan(int) c, leat_sender(int) cs, leat_receiver(int) cr);
void loops(leat_chan(int) c, leat_receiver(int) cr);
void many(leat_chan(int) c);
void elements(leat_chan(int) c, leat_chan(struct point) points, leat_chan(const char *) names,
	      leat_chan(leat_chan(int)) chans);
void drop_point(struct point *point);
void drop_pixel(struct pixel *pixel);
int main_task(void *arg);

/* perm.go: assignments between the directions. */
void assign(leat_chan(int) c, leat_sender(int) cs, leat_receiver(int) cr)
{
	leat_chan(int) both;
	leat_sender(int) tx;
	leat_receiver(int) rx;
	leat_chan(long) longs;

	ASSIGN(1, both = c, both = cr);
	ASSIGN(2, both = c, both = cs);
	ASSIGN(3, rx = cr, rx = cs);
	ASSIGN(4, tx = cs, tx = cr);
	PICK(5, rx = leat_to_receiver(c), rx = leat_to_receiver(cs));
	PICK(6, tx = leat_to_sender(c), tx = leat_to_sender(cr));
	ASSIGN(7, rx = leat_to_receiver(cr), rx = leat_to_sender(c));
	ASSIGN(8, tx = leat_to_sender(cs), tx = leat_to_receiver(c));
	ASSIGN(9, longs = leat_chan_make(long, 0), longs = leat_chan_make(int, 0));
	ASSIGN(10, longs = NULL, longs = c);
	(void)both;
	(void)tx;
	(void)rx;
	(void)longs;
}

/* perm.go: operations on the wrong end, and on what is no channel. */
void operate(leat_chan(int) c, leat_sender(int) cs, leat_receiver(int) cr)
{
	int n = 0;
	int x;

	PICK(11, leat_recv(c, &x), leat_recv(n, &x));
	PICK(12, leat_send(c, 2), leat_send(n, 2));
	PICK(13, leat_send(cs, 0), leat_send(cr, 0));
	PICK(14, leat_recv(cr, &x), leat_recv(cs, &x));
	PICK(15, (void)!leat_try_send(cs, 0), (void)!leat_try_send(cr, 0));
	PICK(16, (void)!leat_try_recv(cr, &x), (void)!leat_try_recv(cs, &x));
	PICK(17, leat_send_until(cs, 0, 1), leat_send_until(cr, 0, 1));
	PICK(18, leat_recv_until(cr, &x, 1), leat_recv_until(cs, &x, 1));
	PICK(19, leat_close(c), leat_close(n));
	PICK(20, leat_close(cs), leat_close(cr));
	PICK(21, leat_abandon(cr), leat_abandon(cs));
	(void)n;
}

/* perm.go: the same in a select. */
int in_select(leat_chan(int) c, leat_sender(int) cs, leat_receiver(int) cr)
{
	int ok;
	int x;

	return leat_select(leat_case_send(c, 0), leat_case_recv(c, &x),
			   PICK(22, leat_case_send(cs, 0), leat_case_send(cr, 0)),
			   PICK(23, leat_case_recv(cr, &x), leat_case_recv(cs, &x)),
			   PICK(24, leat_case_send_ok(cs, 0, &ok), leat_case_send_ok(cr, 0, &ok)),
			   PICK(25, leat_case_recv_ok(cr, &x, &ok),
				leat_case_recv_ok(cs, &x, &ok)));
}

/* perm.go: range over a channel that only sends. */
void loops(leat_chan(int) c, leat_receiver(int) cr)
{
	leat_sender(int) cs = leat_to_sender(c);

	leat_range(v, c)
		(void)v;
	PICK(26, leat_range(v, cr), leat_range(v, cs))
		(void)v;
	(void)cs;
}

/* Elements of another type: the typed counterpart of perm.go's non-channels. */
void elements(leat_chan(int) c, leat_chan(struct point) points, leat_chan(const char *) names,
	      leat_chan(leat_chan(int)) chans)
{
	struct point point = { 1, 2 };
	struct pixel pixel = { 1, 2 };
	const char *name = "name";
	int *ptr = NULL;
	long wide = 0;
	int x = 0;

	PICK(27, leat_send(c, x), leat_send(c, &x));
	PICK(28, leat_send(c, x), leat_send(c, name));
	PICK(29, leat_send(c, x), leat_send(c, point));
	PICK(30, leat_send(points, point), leat_send(points, pixel));
	PICK(31, leat_send(points, point), leat_send(points, &point));
	PICK(32, leat_send(names, name), leat_send(names, ptr));
	PICK(33, leat_send(names, name), leat_send(names, x));
	PICK(34, leat_send(chans, c), leat_send(chans, points));
	PICK(35, leat_recv(c, &x), leat_recv(c, &wide));
	PICK(36, leat_recv(c, &x), leat_recv(c, x));
	PICK(37, leat_recv(points, &point), leat_recv(points, &pixel));
	PICK(38, leat_recv(names, &name), leat_recv(names, &ptr));
	PICK(39, leat_select(leat_case_recv(c, &x)), leat_select(leat_case_recv(c, &wide)));
	PICK(40, leat_select(leat_case_send(points, point)),
	     leat_select(leat_case_send(points, pixel)));
	(void)pixel;
	(void)wide;
	(void)ptr;
}

/* Arrays and drop functions. */
void many(leat_chan(int) c)
{
	leat_chan(struct point) points;
	long longs[2] = { 1, 2 };
	int ints[2] = { 1, 2 };

	PICK(41, (void)!leat_send_n(c, ints, 2, 1), (void)!leat_send_n(c, longs, 2, 1));
	PICK(42, (void)!leat_recv_n(c, ints, 2, 1), (void)!leat_recv_n(c, longs, 2, 1));
	PICK(43, points = leat_chan_make_drop(struct point, 1, drop_point),
	     points = leat_chan_make_drop(struct point, 1, drop_pixel));
	(void)longs;
	(void)points;
}

/* The ends as arguments of a task. */
LEAT_TASK(produce, (leat_sender(int), out), (int, n))
{
	leat_send(out, n);
}

LEAT_TASK(consume, (leat_receiver(int), in))
{
	leat_range(v, in)
		(void)v;
}

int main_task(void *arg)
{
	leat_chan(int) c = leat_chan_make(int, 0);

	(void)arg;
	ASSIGN(44, leat_go(produce, leat_to_sender(c), 1),
	       leat_go(produce, leat_to_receiver(c), 1));
	ASSIGN(45, leat_go(consume, leat_to_receiver(c)), leat_go(consume, leat_to_sender(c)));
	ASSIGN(46, leat_go(consume, leat_to_receiver(c)), leat_go(consume, c));
	PICK(47, leat_go(produce, leat_to_sender(c), 1), leat_go(produce, leat_to_sender(c)));
	ASSIGN(48, leat_go(produce, leat_to_sender(c), 1), leat_go(produce, leat_to_sender(c), c));
	leat_chan_unref(c);
	return 0;
}
