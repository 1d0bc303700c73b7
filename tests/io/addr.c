/*
 * Addresses: text to address and back.
 */
#include <sys/un.h>

#include "net.h"

static const char *round_trip(const char *text)
{
	static char out[LEAT_ADDR_TEXT];
	leat_addr addr;
	int r = leat_addr_parse(&addr, text);

	if (r < 0)
		return leat_strerror(r);
	CHECK_EQ(leat_addr_format(&addr, out, sizeof(out)), strlen(out));
	return out;
}

TEST_PLAIN(round_trips)
{
	static const char *const texts[] = {
		"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0",
		"[2001:db8::1:2]:443", "[::ffff:1.2.3.4]:5", "unix:/tmp/a socket",
		"unix:relative", "unix:@name", "unix:@with@ats", "[fe80::1%lo]:9",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		CHECK_STR(round_trip(texts[i]), texts[i]);
	CHECK_STR(round_trip("[0:0:0:0:0:0:0:1]:080"), "[::1]:80");
	CHECK_STR(round_trip("[fe80::1%4000000000]:9"), "[fe80::1%4000000000]:9");
}

TEST_PLAIN(refused)
{
	static const char *const texts[] = {
		"", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:8x", "127.0.0.1: 80", "1.2.3:4", "localhost:80", "::1:80", "[::1]",
		"[::1]80", "[::1:80", "[]:80", "[:80", "[1.2.3.4]:80", "unix:",
		"127.0.0.1:99999999999999999999",
	};
	char text[400];
	leat_addr addr;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(&addr, 0x55, sizeof(addr));
		CHECK_STR(round_trip(texts[i]), strerror(EINVAL));
		CHECK_EQ(leat_addr_parse(&addr, texts[i]), -EINVAL);
		CHECK_EQ(addr._size, 0x55555555);
	}
	CHECK_EQ(leat_addr_parse(&addr, "[fe80::1%nosuch]:9"), -ENODEV);
	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text + 300, ":80", 4);
	CHECK_EQ(leat_addr_parse(&addr, text), -EINVAL);
}

TEST_PLAIN(unix_paths)
{
	char text[5 + 110] = "unix:", out[LEAT_ADDR_TEXT];
	leat_addr addr;

	memset(text + 5, 'p', 108);
	CHECK_EQ(leat_addr_parse(&addr, text), -ENAMETOOLONG);
	text[5 + 107] = '\0';
	CHECK_STR(round_trip(text), text);
	REQUIRE(leat_addr_parse(&addr, text) == 0);
	CHECK_EQ(leat_addr_format(&addr, out, 112), -ENOSPC);
	CHECK_EQ(leat_addr_format(&addr, out, 113), 112);
	CHECK_EQ(leat_addr_port(&addr), -1);
	CHECK_EQ(leat_addr_set_port(&addr, 1), -EINVAL);
}

TEST_PLAIN(the_systems_type)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(7),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[LEAT_ADDR_TEXT];
	leat_addr addr;
	socklen_t size;

	CHECK_EQ(leat_addr_set(&addr, (struct sockaddr *)&in, sizeof(in)), 0);
	CHECK(leat_addr_format(&addr, text, sizeof(text)) > 0);
	CHECK_STR(text, "127.0.0.1:7");
	CHECK_EQ(leat_addr_port(&addr), 7);
	CHECK_EQ(leat_addr_set_port(&addr, 65536), -EINVAL);
	CHECK_EQ(leat_addr_set_port(&addr, 65535), 0);
	CHECK(leat_addr_get(&addr, &size)->sa_family == AF_INET);
	CHECK_EQ(size, sizeof(in));
	CHECK_EQ(leat_addr_port(&addr), 65535);
	/* A socket without a name. */
	CHECK_EQ(leat_addr_set(&addr, (struct sockaddr *)&un, sizeof(un.sun_family)), 0);
	CHECK_EQ(leat_addr_format(&addr, text, sizeof(text)), 5);
	CHECK_STR(text, "unix:");
	CHECK_EQ(leat_addr_set(&addr, (struct sockaddr *)&un, 1), -EINVAL);
	CHECK_EQ(leat_addr_set(&addr, (struct sockaddr *)&un, 129), -EINVAL);
}
