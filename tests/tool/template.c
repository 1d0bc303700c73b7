/* Tests of tool/template.h. */
#include "test.h"

#include <unistd.h>

#include "template.h"

#define MAX_ARGS 40
#define JSON_DEEP 129

/* What template_expand was given and gave, for the tests below. */
struct result {
	char **args;
	const char *why;
	char error[200];
	int r;
};

static struct template_values values_of(const struct record *records, size_t n)
{
	return (struct template_values){ .records = records, .nrecords = n, .seq = 7, .slot = 3 };
}

/* Arguments are words of text with spaces between; a record is a string. */
static struct result expand(const char *text, bool quote, const char *const *strings)
{
	char *words = strdup(text), *at = words, *word;
	const char *args[MAX_ARGS];
	struct record records[MAX_ARGS];
	struct result result = { .r = 0 };
	struct template_values values;
	struct template *t;
	size_t n = 0, nrecords = 0;

	REQUIRE(words);
	while ((word = strsep(&at, " ")))
		args[n++] = word;
	for (; strings[nrecords]; nrecords++)
		records[nrecords] = (struct record){ strings[nrecords], strlen(strings[nrecords]) };
	values = values_of(records, nrecords);
	result.r = template_create(&t, args, n, quote, true, &result.why);
	if (result.r == 0) {
		result.r = template_expand(t, &values, &result.args, result.error,
					   sizeof(result.error));
		template_free(t);
	}
	free(words);
	return result;
}

#define RECORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void check_args(int line, struct result result, const char *const *expected)
{
	if (result.r) {
		test_fail(__FILE__, line, "%d: %s%s", result.r, result.why ? result.why : "",
			  result.error);
		return;
	}
	for (size_t i = 0;; i++) {
		if (!test_same_string(result.args[i], expected[i]))
			test_fail(__FILE__, line, "argument %zu is \"%s\", not \"%s\"", i,
				  result.args[i] ? result.args[i] : "(NULL)",
				  expected[i] ? expected[i] : "(NULL)");
		if (!result.args[i] || !expected[i])
			break;
	}
	free(result.args);
}

#define CHECK_ARGS(text, records, expected) \
	check_args(__LINE__, expand(text, false, records), expected)
#define CHECK_SHELL(text, records, expected) \
	check_args(__LINE__, expand(text, true, records), ARGS(expected))

static void check_error(int line, struct result result, const char *says)
{
	const char *text = result.why ? result.why : result.error;

	if (result.r != -EINVAL || !strstr(text, says))
		test_fail(__FILE__, line, "%d: %s", result.r, text);
}

#define CHECK_ERROR(text, records, says) \
	check_error(__LINE__, expand(text, false, records), says)
#define CHECK_SHELL_ERROR(text, says) \
	check_error(__LINE__, expand(text, true, RECORDS("a")), says)

/*
 * What GNU parallel 20221122 makes of a path: {.}, {/}, {//}, {/.}.
 */
static const struct {
	const char *path, *parts[4];
} paths[] = {
	{ "a", { "a", "a", ".", "a" } },
	{ "a.b", { "a", "a.b", ".", "a" } },
	{ "a.b.c", { "a.b", "a.b.c", ".", "a.b" } },
	{ "x.tar.gz", { "x.tar", "x.tar.gz", ".", "x.tar" } },
	{ ".bashrc", { "", ".bashrc", ".", "" } },
	{ ".a.b", { ".a", ".a.b", ".", ".a" } },
	{ "dir/", { "dir/", "", ".", "" } },
	{ "dir//", { "dir//", "", ".", "" } },
	{ "a.b/", { "a.b/", "", ".", "" } },
	{ "a.b/c", { "a.b/c", "c", "a.b", "c" } },
	{ "a/b.c/", { "a/b.c/", "", "a", "" } },
	{ "a/b/", { "a/b/", "", "a", "" } },
	{ "a/b//", { "a/b//", "", "a", "" } },
	{ "dir/.hidden", { "dir/", ".hidden", "dir", "" } },
	{ "dir.d/.h.x", { "dir.d/.h", ".h.x", "dir.d", ".h" } },
	{ "/x", { "/x", "x", "/", "x" } },
	{ "/x.y", { "/x", "x.y", "/", "x" } },
	{ "/", { "/", "", "/", "" } },
	{ "//", { "//", "", "/", "" } },
	{ "///", { "///", "", "/", "" } },
	{ "//a", { "//a", "a", "/", "a" } },
	{ "/a/", { "/a/", "", "/", "" } },
	{ "//a//", { "//a//", "", "/", "" } },
	{ "a//b", { "a//b", "b", "a", "b" } },
	{ ".", { "", ".", ".", "" } },
	{ "..", { ".", "..", ".", "." } },
	{ "...", { "..", "...", ".", ".." } },
	{ "./a", { "./a", "a", ".", "a" } },
	{ "../x", { "../x", "x", "..", "x" } },
	{ "dir/..", { "dir/.", "..", "dir", "." } },
	{ "a.", { "a", "a.", ".", "a" } },
	{ "a..", { "a.", "a..", ".", "a." } },
	{ "", { "", "", ".", "" } },
	{ "a b.c d", { "a b", "a b.c d", ".", "a b" } },
	{ " a", { " a", " a", ".", " a" } },
	{ "a ", { "a ", "a ", ".", "a " } },
	{ "x\ny.z", { "x\ny", "x\ny.z", ".", "x\ny" } },
	{ "a.b\n", { "a", "a.b\n", ".", "a" } },
	{ "a/\n", { "a/\n", "\n", "a", "\n" } },
	{ "\303\251.\303\274", { "\303\251", "\303\251.\303\274", ".", "\303\251" } },
	{ "\377.\376", { "\377", "\377.\376", ".", "\377" } },
	{ "it's.$x", { "it's", "it's.$x", ".", "it's" } },
};

#define NPATHS (sizeof(paths) / sizeof(*paths))

TEST_PLAIN(paths_as_in_gnu_parallel)
{
	for (size_t i = 0; i < NPATHS; i++) {
		const char *const *p = paths[i].parts;

		CHECK_ARGS("{} {.} {/} {//} {/.}", RECORDS(paths[i].path),
			   ARGS(paths[i].path, p[0], p[1], p[2], p[3]));
	}
}

/* On purpose: GNU parallel takes the last component of each line, and gets "b\nc". */
TEST_PLAIN(newline_is_no_border)
{
	CHECK_ARGS("{/} {/.} {//} {.}", RECORDS("a/b\nc.x/d.e"),
		   ARGS("d.e", "d", "a/b\nc.x", "a/b\nc.x/d"));
}

/* The table again, with the program itself where it is installed. */
static char table_name[] = "/tmp/leat-paths-XXXXXX";

static FILE *run_parallel(void)
{
	FILE *table;
	char command[300];
	int fd = mkstemp(table_name);

	REQUIRE(fd >= 0);
	table = fdopen(fd, "w");
	REQUIRE(table);
	for (size_t i = 0; i < NPATHS; i++)
		fwrite(paths[i].path, 1, strlen(paths[i].path) + 1, table);
	fclose(table);
	snprintf(command, sizeof(command),
		 "LC_ALL=C parallel --will-cite -0 -j1 -k -a %s "
		 "printf \"'%%s\\\\0%%s\\\\0%%s\\\\0%%s\\\\0'\" {.} {/} {//} {/.} 2>/dev/null",
		 table_name);
	return popen(command, "r");
}

TEST_PLAIN(paths_with_gnu_parallel)
{
	char *part = NULL;
	size_t room = 0;
	FILE *out;

	if (pclose(popen("parallel --version 2>/dev/null | grep -q '^GNU parallel'", "r")) != 0)
		SKIP("GNU parallel is not installed");
	test_timeout(120);
	out = run_parallel();
	REQUIRE(out);
	for (size_t i = 0; i < NPATHS * 4 && !test_failed(); i++) {
		REQUIRE(getdelim(&part, &room, '\0', out) >= 0);
		CHECK_STR(part, paths[i / 4].parts[i % 4]);
	}
	free(part);
	pclose(out);
	unlink(table_name);
}

/*
 * Commands.
 */

TEST_PLAIN(places)
{
	CHECK_ARGS("cp {} {.}.bak", RECORDS("a b.c"), ARGS("cp", "a b.c", "a b.bak"));
	CHECK_ARGS("{#} {%} x{#}y{%}z{}", RECORDS("r"), ARGS("7", "3", "x7y3zr"));
	CHECK_ARGS("{}{}{#}", RECORDS("a"), ARGS("aa7"));
	CHECK_ARGS("--in={/}", RECORDS("/x/y"), ARGS("--in=y"));
	CHECK_ARGS("x {}", RECORDS(""), ARGS("x", ""));
}

TEST_PLAIN(no_places)
{
	CHECK_ARGS("echo", RECORDS("a b"), ARGS("echo", "a b"));
	CHECK_ARGS("echo", RECORDS("a", "b"), ARGS("echo", "a", "b"));
	CHECK_ARGS("echo {other} {x { } {1} {+/} {}}", RECORDS("v"),
		   ARGS("echo", "{other}", "{x", "{", "}", "{1}", "{+/}", "v}"));
	CHECK_ARGS("{other} }{ {./x} {.a,.b} {.a", RECORDS("v"),
		   ARGS("{other}", "}{", "{./x}", "{.a,.b}", "{.a", "v"));
	/* A number is a place, too. */
	CHECK_ARGS("echo {#}", RECORDS("v"), ARGS("echo", "7"));
	CHECK_ARGS("echo {%}", RECORDS("v"), ARGS("echo", "3"));
	/* A value is not looked at again. */
	CHECK_ARGS("{} {#}", RECORDS("{#}{}{.a}"), ARGS("{#}{}{.a}", "7"));
}

TEST_PLAIN(several_records)
{
	CHECK_ARGS("x {} y", RECORDS("a", "b c"), ARGS("x", "a", "b c", "y"));
	CHECK_ARGS("p{}s{#} {.}", RECORDS("1.x", "2.y"), ARGS("p1.xs7", "p2.ys7", "1", "2"));
	CHECK_ARGS("{#} {}", RECORDS("a", "b"), ARGS("7", "a", "b"));
}

TEST_PLAIN(nothing_appended)
{
	const char *const args[] = { "echo" };
	struct record record = { "a", 1 };
	struct template_values values = values_of(&record, 1);
	struct result result = { .r = 0 };
	struct template *t;

	REQUIRE(template_create(&t, args, 1, false, false, &result.why) == 0);
	CHECK(!template_has_fields(t));
	result.r = template_expand(t, &values, &result.args, result.error, sizeof(result.error));
	check_args(__LINE__, result, ARGS("echo"));
	template_free(t);
}

TEST_PLAIN(no_command)
{
	struct record record = { "ls", 2 };
	struct template_values values = values_of(&record, 1);
	struct result result = { .r = 0 };
	struct template *t;

	REQUIRE(template_create(&t, NULL, 0, false, true, &result.why) == 0);
	result.r = template_expand(t, &values, &result.args, result.error, sizeof(result.error));
	check_args(__LINE__, result, ARGS("ls"));
	template_free(t);
	REQUIRE(template_create(&t, NULL, 0, false, false, &result.why) == 0);
	result.r = template_expand(t, &values, &result.args, result.error, sizeof(result.error));
	check_args(__LINE__, result, (const char *const[]){ NULL });
	template_free(t);
}

/* A record may be parts of a block, with no 0 behind. */
TEST_PLAIN(zero_byte)
{
	const char *const args[] = { "x{}y" };
	struct record records[] = { { "abc", 2 }, { "a\0b", 3 } };
	struct template_values values = values_of(records, 1);
	struct result result = { .r = 0 };
	struct template *t;
	char *bytes;
	size_t n;

	REQUIRE(template_create(&t, args, 1, false, true, &result.why) == 0);
	result.r = template_expand(t, &values, &result.args, result.error, sizeof(result.error));
	check_args(__LINE__, result, ARGS("xaby"));
	values.nrecords = 2;
	result.r = template_expand(t, &values, &result.args, result.error, sizeof(result.error));
	check_error(__LINE__, result, "0 byte");
	REQUIRE(template_expand_bytes(t, &values, '\n', &bytes, &n, result.error,
				      sizeof(result.error)) == 0);
	CHECK_EQ(n, 10);
	CHECK(memcmp(bytes, "xaby\nxa\0by", 11) == 0);
	free(bytes);
	/* In a URL it is no end. */
	REQUIRE(template_expand_url(t, &values, &bytes, result.error, sizeof(result.error)) == 0);
	CHECK_STR(bytes, "xaby xa%00by");
	free(bytes);
	template_free(t);
}

static void check_url(int line, const char *template, const char *record, const char *wanted)
{
	struct record records[] = { { record, strlen(record) } };
	struct template_values values = values_of(records, 1);
	char *url = NULL, error[100] = "";
	struct template *t;
	const char *why;

	REQUIRE(template_create(&t, &template, 1, false, false, &why) == 0);
	template_expand_url(t, &values, &url, error, sizeof(error));
	if (strcmp(url ? url : error, wanted) != 0)
		test_fail(__FILE__, line, "%s: %s, wanted %s", template, url ? url : error, wanted);
	free(url);
	template_free(t);
}

#define DOTS "a value is . or .., which is no part of a URL's path"

TEST_PLAIN(urls)
{
	check_url(__LINE__, "{}", "http://h/a b?c=d&e", "http://h/a b?c=d&e");
	check_url(__LINE__, "{}/x/{}", "http://h", "http://h/x/http%3A%2F%2Fh");
	check_url(__LINE__, "http://h/{}?q={}", "a/b&c=d e#%?", "http://h/a%2Fb%26c%3Dd%20e%23%25%3F?q="
		  "a%2Fb%26c%3Dd%20e%23%25%3F");
	check_url(__LINE__, "http://h/{}", "...", "http://h/...");
	check_url(__LINE__, "http://h/?q={}", "..", "http://h/?q=..");
	/* They would leave the part of the path that they are in. */
	check_url(__LINE__, "http://h/{}", "..", DOTS);
	check_url(__LINE__, "http://h/{}/x", ".", DOTS);
	check_url(__LINE__, "http://h/{}", "AZaz09-._~", "http://h/AZaz09-._~");
	check_url(__LINE__, "http://h/{}", "\xc3\xa4\x7f\x01\xff", "http://h/%C3%A4%7F%01%FF");
	check_url(__LINE__, "http://h/{.a}/{#}", "{\"a\":\"x/y\"}", "http://h/x%2Fy/7");
}

/*
 * Fields.
 */

#define USER "{\"id\":12,\"user\":{\"name\":\"Ann B\",\"tags\":[\"x\",{\"y\":null}]},\"ok\":true}"

TEST_PLAIN(fields)
{
	CHECK_ARGS("{.id} {.user.name} {.ok}", RECORDS(USER), ARGS("12", "Ann B", "true"));
	CHECK_ARGS("a{.id}b{.id}", RECORDS(USER), ARGS("a12b12"));
	CHECK_ARGS("{.user} {.user.tags} {.user.tags.0} {.user.tags.1.y}", RECORDS(USER),
		   ARGS("{\"name\":\"Ann B\",\"tags\":[\"x\",{\"y\":null}]}",
			"[\"x\",{\"y\":null}]", "x", "null"));
	CHECK_ARGS("{.id}", RECORDS("{\"id\":1}", "{\"id\":2}"), ARGS("1", "2"));
	CHECK_ARGS("{.0.a}", RECORDS(" [ { \"a\" : \"b\" } ] "), ARGS("b"));
	CHECK_ARGS("{.a-b} {.@c} {.$d} {.e:f} {.\303\251}",
		   RECORDS("{\"a-b\":1,\"@c\":2,\"$d\":3,\"e:f\":4,\"\303\251\":5}"),
		   ARGS("1", "2", "3", "4", "5"));
}

/* Numbers, and what is in arrays and objects, as they are written. */
TEST_PLAIN(fields_keep_their_text)
{
	CHECK_ARGS("{.a} {.b} {.c} {.d} {.e}",
		   RECORDS("{\"a\":12345678901234567890,\"b\":1.10 ,\"c\":-0,\"d\":1E+2,"
			   "\"e\":0.1000000000000000055511151231257827}"),
		   ARGS("12345678901234567890", "1.10", "-0", "1E+2",
			"0.1000000000000000055511151231257827"));
	CHECK_ARGS("{.a}", RECORDS("{\"a\": [ 1.0,\"}\\\"]\" , {\"b\\\\\":[]} ] }"),
		   ARGS("[ 1.0,\"}\\\"]\" , {\"b\\\\\":[]} ]"));
}

TEST_PLAIN(strings)
{
	CHECK_ARGS("{.a}", RECORDS("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}"),
		   ARGS("\"\\/\b\f\n\r\t\303\251\360\237\230\200"));
	CHECK_ARGS("{.a}", RECORDS("{\"a\":\"\"}"), ARGS(""));
	/* The name may be escaped in the record. */
	CHECK_ARGS("{.key}", RECORDS("{\"k\\u0065y\":1}"), ARGS("1"));
	CHECK_ARGS("{.a}", RECORDS("{\"a\":\"{}{#}\"}"), ARGS("{}{#}"));
}

TEST_PLAIN(names_twice)
{
	CHECK_ARGS("{.a}", RECORDS("{\"a\":1,\"b\":2,\"a\":3}"), ARGS("3"));
	CHECK_ARGS("{.a.b}", RECORDS("{\"a\":{\"b\":1},\"a\":{\"b\":2}}"), ARGS("2"));
	CHECK_ERROR("{.a.b}", RECORDS("{\"a\":{\"b\":1},\"a\":4}"), "no field .a.b");
}

TEST_PLAIN(no_field)
{
	CHECK_ERROR("{.x}", RECORDS(USER), "no field .x");
	CHECK_ERROR("{.user.id}", RECORDS(USER), "no field .user.id");
	CHECK_ERROR("{.id.x}", RECORDS(USER), "no field .id.x");
	CHECK_ERROR("{.user.tags.2}", RECORDS(USER), "no field .user.tags.2");
	CHECK_ERROR("{.user.tags.x}", RECORDS(USER), "no field .user.tags.x");
	CHECK_ERROR("{.user.tags.99999999999999999999}", RECORDS(USER), "no field");
	CHECK_ERROR("{.x}", RECORDS("5"), "no field .x");
	CHECK_ERROR("{.x}", RECORDS("\"x\""), "no field .x");
	CHECK_ERROR("{.x}", RECORDS("{\"x\":1}", "{}"), "no field .x");
	CHECK_ERROR("{.x}", RECORDS("[]"), "no field .x");
	CHECK_ERROR("{.0}", RECORDS("[ ]"), "no field .0");
}

TEST_PLAIN(no_json)
{
	char deep[2 * JSON_DEEP + 1];

	CHECK_ERROR("{.x}", RECORDS(""), "no JSON: ");
	CHECK_ERROR("{.x}", RECORDS("{\"x\":}"), "(column 6)");
	CHECK_ERROR("{.x}", RECORDS("{\"x\":1} 2"), "no JSON: ");
	CHECK_ERROR("{.x}", RECORDS("{\"x\":01}"), "no JSON: ");
	CHECK_ERROR("{.x}", RECORDS("{\n\"x\":1,}"), "(line 2, column");
	CHECK_ERROR("{.x}", RECORDS("{\"x\":\"\377\"}"), "0xff");
	CHECK_ERROR("{.x}", RECORDS("{\"x\":\"\\ud800\"}"), "no JSON: ");
	/* Though the field itself is there. */
	CHECK_ERROR("{.x}", RECORDS("{\"x\":1,\"y\":nul}"), "no JSON: ");
	memset(deep, '[', JSON_DEEP);
	memset(deep + JSON_DEEP, ']', JSON_DEEP);
	deep[2 * JSON_DEEP] = '\0';
	CHECK_ERROR("{.x}", RECORDS(deep), "deep");
	/* A terminal is not written to by what is shown of the record. */
	CHECK_ERROR("{.x}", RECORDS("{\"x\":\033]0;\a}"), "no JSON: ");
	CHECK(!strchr(expand("{.x}", false, RECORDS("{\"x\":\033]0;\a}")).error, '\033'));
}

TEST_PLAIN(nul_in_a_field)
{
	CHECK_ERROR("{.a.b}", RECORDS("{\"a\":{\"b\":\"x\\u0000y\"}}"), "field .a.b has the character \\u0000");
	/* Elsewhere, and as JSON, it harms nobody. */
	CHECK_ARGS("{.a} {.b}", RECORDS("{\"z\":\"\\u0000\",\"a\":1,\"b\":[\"\\u0000\"]}"),
		   ARGS("1", "[\"\\u0000\"]"));
}

TEST_PLAIN(bad_names)
{
	CHECK_ERROR("{..}", RECORDS("{}"), "empty");
	CHECK_ERROR("{.a..b}", RECORDS("{}"), "empty");
	CHECK_ERROR("{.a.}", RECORDS("{}"), "empty");
	CHECK_ERROR("{..a}", RECORDS("{}"), "empty");
}

/*
 * Under a shell.
 */

TEST_PLAIN(quoted)
{
	CHECK_SHELL("echo {}; ls", RECORDS("it's"), "echo 'it'\\''s'; ls");
	CHECK_SHELL("echo {} {.} {/}", RECORDS("a/b.c"), "echo a/b.c a/b b.c");
	CHECK_SHELL("echo $HOME", RECORDS("$HOME"), "echo $HOME '$HOME'");
	CHECK_SHELL("echo", RECORDS("a", "b c"), "echo a 'b c'");
	CHECK_SHELL("echo {.a}", RECORDS("{\"a\":\"$x\"}"), "echo '$x'");
	CHECK_SHELL("echo {}", RECORDS(""), "echo ''");
	CHECK_SHELL("if", RECORDS("x"), "if x");
	CHECK_SHELL("echo {#} \"{#}\" '{%}'", RECORDS("x"), "echo 7 \"7\" '3'");
}

/* The word is repeated, not the script. */
TEST_PLAIN(quoted_several_records)
{
	CHECK_SHELL("cat {}|wc;f p{}\"x y\" $(ls {}) >{.}", RECORDS("a", "b"),
		    "cat a b|wc;f pa\"x y\" pb\"x y\" $(ls a b) >a b");
}

/* A copy of the word would stand in the quotes that the first one has begun. */
TEST_PLAIN(quoted_words_that_go_on)
{
	static const char *const scripts[] = {
		"echo {}\"", "echo {}'", "echo {}$(x)", "echo $(x){}", "echo {}\\", "echo {}$'a'",
		"echo {}`",
	};
	struct result result;

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		check_error(__LINE__, expand(scripts[i], true, RECORDS("a", "b")),
			    "cannot be repeated for 2 records");
		result = expand(scripts[i], true, RECORDS("a"));
		CHECK_EQ(result.r, 0);
		free(result.args);
	}
	CHECK_SHELL("echo {}\"x\"${y} $(x {}) {};(x {})", RECORDS("a", "b"),
		    "echo a\"x\"${y} b\"x\"${y} $(x a b) a b;(x a b)");
}

/* Where a plain word would be something else. */
TEST_PLAIN(quoted_before)
{
	CHECK_SHELL("echo {}>x {#}>y {%}<z", RECORDS("2"), "echo '2'>x '7'>y '3'<z");
	CHECK_SHELL("{}=1 {}+=1 {}() {}", RECORDS("a"), "'a'=1 'a'+=1 'a'() a");
}

TEST_PLAIN(quoted_elsewhere)
{
	CHECK_SHELL_ERROR("echo \"{}\"", "in quotes");
	CHECK_SHELL_ERROR("echo '{.}'", "in quotes");
	CHECK_SHELL_ERROR("echo # {}", "in a comment");
	CHECK_SHELL_ERROR("echo #", "in a comment");
	CHECK_SHELL_ERROR("echo ${#}", "behind a $");
	CHECK_SHELL_ERROR("echo $(({}))", "((...))");
}

TEST_PLAIN(has_fields)
{
	const char *const with[] = { "x", "y{.a}" }, *const without[] = { "{.}", "{.a,b}" };
	struct template *t;
	const char *why;

	REQUIRE(template_create(&t, with, 2, false, true, &why) == 0);
	CHECK(template_has_fields(t));
	template_free(t);
	REQUIRE(template_create(&t, without, 2, false, true, &why) == 0);
	CHECK(!template_has_fields(t));
	template_free(t);
}
