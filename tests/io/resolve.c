/*
 * leat_resolve: addresses, errors, and that nobody need wait for a slow name server.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include "test.h"

/* In the place of the C library's: the name servers of these tests. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret_list)
{
	__typeof__(getaddrinfo) *real = (__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");

	if (host && strcmp(host, "unknown.test") == 0)
		return EAI_NONAME;
	if (host && strcmp(host, "broken.test") == 0)
		return EAI_FAIL;
	if (host && strcmp(host, "silent.test") == 0)
		return EAI_AGAIN;
	if (host && strcmp(host, "odd.test") == 0) {
		errno = EMFILE;
		return EAI_SYSTEM;
	}
	if (host && strcmp(host, "slow.test") == 0)
		usleep(300000);
	return real(host && strcmp(host, "slow.test") == 0 ? "127.0.0.3" : host, service, hints,
		    ret_list);
}

static void check_text(const leat_addr *addr, const char *expected)
{
	char text[LEAT_ADDR_TEXT];

	CHECK(leat_addr_format(addr, text, sizeof(text)) > 0);
	CHECK_STR(text, expected);
}

TEST_BOTH(numbers, 2)
{
	leat_addr addr[4];

	CHECK_EQ(leat_resolve("127.0.0.1", "80", addr, 4, LEAT_FOREVER), 1);
	check_text(&addr[0], "127.0.0.1:80");
	CHECK_EQ(leat_resolve("::1", "443", addr, 4, LEAT_FOREVER), 1);
	check_text(&addr[0], "[::1]:443");
	CHECK_EQ(leat_resolve("127.0.0.1", NULL, addr, 4, LEAT_FOREVER), 1);
	check_text(&addr[0], "127.0.0.1:0");
	CHECK(leat_resolve(NULL, "80", addr, 4, LEAT_FOREVER) >= 1);
	CHECK_EQ(leat_resolve(NULL, "80", addr, 1, LEAT_FOREVER), 1);
}

TEST(names)
{
	leat_addr addr[4];

	REQUIRE(leat_resolve("localhost", "80", addr, 4, LEAT_FOREVER) >= 1);
	CHECK_EQ(leat_addr_port(&addr[0]), 80);
}

TEST(errors)
{
	leat_addr addr;
	char text[2000];

	CHECK_EQ(leat_resolve("unknown.test", "80", &addr, 1, LEAT_FOREVER), -ENOENT);
	CHECK_EQ(leat_resolve("broken.test", "80", &addr, 1, LEAT_FOREVER), -EIO);
	CHECK_EQ(leat_resolve("silent.test", "80", &addr, 1, LEAT_FOREVER), -EAGAIN);
	CHECK_EQ(leat_resolve("odd.test", "80", &addr, 1, LEAT_FOREVER), -EMFILE);
	CHECK_EQ(leat_resolve(NULL, NULL, &addr, 1, LEAT_FOREVER), -EINVAL);
	CHECK_EQ(leat_resolve("127.0.0.1", "65536", &addr, 1, LEAT_FOREVER), -EINVAL);
	CHECK_EQ(leat_resolve("127.0.0.1", "99999999999999999999", &addr, 1, LEAT_FOREVER),
		 -EINVAL);
	CHECK_EQ(leat_resolve("127.0.0.1", "65535", &addr, 1, LEAT_FOREVER), 1);
	CHECK_EQ(leat_addr_port(&addr), 65535);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK_EQ(leat_resolve(text, "80", &addr, 1, LEAT_FOREVER), -EINVAL);
}

/* The search goes on; its end finds nobody. */
TEST(deadline)
{
	int64_t started = leat_now();
	leat_addr addr;

	CHECK_EQ(leat_resolve("slow.test", "80", &addr, 1, leat_in(5 * LEAT_MS)), -ETIMEDOUT);
	CHECK(leat_now() - started < 250 * LEAT_MS);
	CHECK_EQ(leat_resolve("slow.test", "80", &addr, 1, LEAT_FOREVER), 1);
	check_text(&addr, "127.0.0.3:80");
}

LEAT_TASK(resolve_slow, (int, n))
{
	leat_addr addr;

	(void)n;
	CHECK_EQ(leat_resolve("slow.test", "80", &addr, 1, LEAT_FOREVER), -ECANCELED);
}

TEST(cancel)
{
	int64_t started = leat_now();
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	CHECK_EQ(leat_go_in(&group, resolve_slow, 1), 0);
	leat_sleep(5 * LEAT_MS);
	leat_group_cancel(&group, -ECANCELED);
	CHECK_EQ(leat_group_wait(&group), -ECANCELED);
	leat_group_release(&group);
	CHECK(leat_now() - started < 250 * LEAT_MS);
}
