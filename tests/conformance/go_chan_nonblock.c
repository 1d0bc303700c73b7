/*
 * Rewritten from Go's test/chan/nonblock.go: operations that may not block, on
 * elements of several sizes and kinds, unbuffered and buffered.
 *
 * Each is tried in its two forms, the try call and the select with a default.
 */
#include "go_chan.h"

static const char hello[] = "hello";
static const char hello_again[] = "hello again";

/* A struct larger than the four of Go, and larger than a pointer. */
struct wide {
	int64_t words[9];
};

static bool same_wide(struct wide a, struct wide b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

#define SAME(a, b) ((a) == (b))

/*
 * For one element type: a receiver that is waited for by sending without
 * blocking, a sender that is waited for by receiving without blocking.
 */
#define NONBLOCK(name, T, same, first, second)                                \
	LEAT_TASK(name##_receiver, (leat_chan(T), chan), (leat_chan(bool), strobe)) \
	{                                                                     \
		T got;                                                        \
                                                                              \
		memset(&got, 0, sizeof(got));                                 \
		CHECK_EQ(leat_recv(chan, &got), 0);                           \
		CHECK(same(got, first));                                      \
		CHECK_EQ(leat_send(strobe, true), 0);                         \
	}                                                                     \
                                                                              \
	LEAT_TASK(name##_sender, (leat_chan(T), chan), (leat_chan(bool), strobe)) \
	{                                                                     \
		CHECK_EQ(leat_send(chan, second), 0);                         \
		CHECK_EQ(leat_send(strobe, true), 0);                         \
	}                                                                     \
                                                                              \
	static int name##_offer(leat_chan(T) chan, bool by_select)            \
	{                                                                     \
		if (by_select)                                                \
			return leat_select(leat_case_send(chan, first), leat_case_default); \
		return leat_try_send(chan, first);                            \
	}                                                                     \
                                                                              \
	static int name##_poll(leat_chan(T) chan, T *ret, bool by_select)     \
	{                                                                     \
		if (by_select)                                                \
			return leat_select(leat_case_recv(chan, ret), leat_case_default); \
		return leat_try_recv(chan, ret);                              \
	}                                                                     \
                                                                              \
	static void name##_run(size_t cap, bool by_select)                    \
	{                                                                     \
		leat_chan(T) chan = leat_chan_make(T, cap);                   \
		leat_chan(bool) strobe = leat_chan_make(bool, 0);             \
		leat_group group;                                             \
		bool ignored;                                                 \
		T got;                                                        \
		int r;                                                        \
                                                                              \
		memset(&got, 0, sizeof(got));                                 \
		CHECK_EQ(name##_poll(chan, &got, by_select), -EAGAIN);        \
		start(&group);                                                \
		leat_go_in(&group, name##_receiver, chan, strobe);            \
		while ((r = name##_offer(chan, by_select)) == -EAGAIN)        \
			leat_yield();                                         \
		CHECK_EQ(r, 0);                                               \
		CHECK_EQ(leat_recv(strobe, &ignored), 0);                     \
		leat_go_in(&group, name##_sender, chan, strobe);              \
		if (cap > 0)                                                  \
			CHECK_EQ(leat_recv(strobe, &ignored), 0);             \
		while ((r = name##_poll(chan, &got, by_select)) == -EAGAIN)   \
			leat_yield();                                         \
		CHECK_EQ(r, 0);                                               \
		CHECK(same(got, second));                                     \
		if (cap == 0)                                                 \
			CHECK_EQ(leat_recv(strobe, &ignored), 0);             \
		CHECK_EQ(name##_poll(chan, &got, by_select), -EAGAIN);        \
		finish(&group);                                               \
		leat_chan_unref(strobe);                                      \
		leat_chan_unref(chan);                                        \
	}                                                                     \
                                                                              \
	TEST_BOTH(go_nonblock_##name, 50)                                     \
	{                                                                     \
		for (size_t cap = 0; cap < 2; cap++) {                        \
			name##_run(cap, false);                               \
			name##_run(cap, true);                                \
		}                                                             \
	}

/* Go test/chan/nonblock.go: its four element types, and a large struct. */
NONBLOCK(int32, int32_t, SAME, 123, 234)
NONBLOCK(int64, int64_t, SAME, 123456, 234567)
NONBLOCK(bool, bool, SAME, true, true)
NONBLOCK(string, const char *, SAME, hello, hello_again)
NONBLOCK(struct, struct wide, same_wide, ((struct wide){ { 1, [8] = 2 } }),
	 ((struct wide){ { 3, [8] = 4 } }))
