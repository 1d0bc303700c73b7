/* Tests of the line of tool/progress.h; tests/tool/progress.py has the terminal. */
#include "test.h"

#include <string.h>

#include <leat/time.h>

#include "progress.h"

static char text[1024];

static const char *line(struct progress_now now, struct progress_style style, double rate,
			int64_t elapsed)
{
	size_t columns, n = progress_format(&now, &style, rate, elapsed, text, sizeof(text),
					    &columns);

	CHECK_EQ(n, strlen(text));
	CHECK(columns <= style.columns);
	return text;
}

#define LINE(columns_, rate, ...) \
	line((struct progress_now){ __VA_ARGS__ }, \
	     (struct progress_style){ .columns = (columns_) }, (rate), 0)

TEST_PLAIN(fields)
{
	CHECK_STR(LINE(79, -1, .running = 2), "0 done  2 run");
	CHECK_STR(LINE(79, 0.5, .done = 1234567, .worked = 1234567),
		  "1,234,567 done  30.0/min  0 run");
	CHECK_STR(LINE(40, 10, .done = 500, .worked = 500, .all = 1000, .left = 500),
		  " 50%  500/1,000  10.0/s  ETA 0:50  0 run");
	CHECK_STR(LINE(79, 0.1, .all = 100, .left = 1000, .about = true, .skipped = 1, .failed = 2),
		  "[>            ]    0%  0/~100  6.0/min  ETA 2:46:40  2 failed  1 skipped  0 run");
	CHECK_STR(LINE(79, 1, .all = 100, .left = 86400 * 10), "[>                                 "
		  "    ]    0%  0/100  1.0/s  ETA 10d  0 run");
}

TEST_PLAIN(bytes)
{
	CHECK_STR(LINE(60, 2e6, .in_bytes = true, .done = 1, .all = 9, .worked = 3000000,
		       .left = 1000000), "[===============>    ]   75%  1/9  2.0 MB/s  ETA 0:00  0 run");
	/* Nothing is left to read, but not all is done. */
	CHECK_STR(LINE(30, -1, .in_bytes = true, .done = 1, .all = 3),
		  "[===>      ]   33%  1/3  0 run");
}

TEST_PLAIN(share_is_not_all_before_the_end)
{
	CHECK_STR(LINE(10, -1, .done = 9999, .all = 10000), " 99%");
	CHECK_STR(LINE(14, -1, .done = 9999, .all = 9999, .about = true), " 99%  0 run");
	CHECK_STR(LINE(14, -1, .done = 99, .all = 99), "100%  99/99");
	CHECK_STR(LINE(14, -1, .in_bytes = true, .worked = 9, .done = 8, .all = 9), " 99%  8/9");
}

TEST_PLAIN(end)
{
	struct progress_now now = { .done = 9, .all = 9, .worked = 9, .failed = 1 };
	struct progress_style style = { .ended = true, .colours = true, .columns = 40 };

	CHECK_STR(line(now, style, 3, 3 * LEAT_S),
		  "100%  9/9  3.0/s  in 3.0 s  \033[31m1 failed\033[39m");
	style.utf8 = true;
	style.columns = 58;
	style.colours = false;
	CHECK_STR(line(now, style, 3, 3661 * LEAT_S), "\u2588\u2588\u2588\u2588\u2588\u2588"
		  "\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588"
		  "  100%  9/9  3.0/s  in 1:01:01  1 failed");
}

/* As a terminal without colours sees it. */
static size_t seen(const char *s)
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s == '\033')
			s = strchr(s, 'm');
		else
			n += (*s & 0xc0) != 0x80;
	}
	return n;
}

static uint64_t state = 1;

static uint64_t any(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state >> 33 >> (state >> 60) * 2;
}

/* Whatever the numbers and the width are, it says how wide it is, and that is not too wide. */
TEST_PLAIN(any_numbers)
{
	for (int i = 0; i < 20000; i++) {
		struct progress_now now = {
			.done = any(), .all = any() & 1 ? any() : 0, .about = any() & 1,
			.failed = any(), .skipped = any(), .running = (int)(any() & 0xffff),
			.in_bytes = any() & 1, .worked = any(), .left = any(),
		};
		struct progress_style style = { any() & 1, any() & 1, any() & 1, any() % 200 };
		size_t columns, n = progress_format(&now, &style, (double)any() - 1,
						    (int64_t)any() * LEAT_S, text, sizeof(text),
						    &columns);

		CHECK_EQ(n, strlen(text));
		CHECK_EQ(columns, seen(text));
		CHECK(columns <= style.columns);
	}
}
