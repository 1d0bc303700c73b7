/* The rules of docs/thread-local.md for OpenSSL's error queue. */
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "elsewhere.h"

enum { TASKS = 8, ROUNDS = 100 };

/* Two ways to fail; each leaves an error of its own in the queue. */
static int fail_to_divide(void)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *a = BN_new(), *zero = BN_new();

	BN_set_word(a, 42);
	BN_zero(zero);
	CHECK_EQ(BN_div(a, NULL, a, zero, ctx), 0);
	BN_free(a);
	BN_free(zero);
	BN_CTX_free(ctx);
	return BN_R_DIV_BY_ZERO;
}

static int fail_to_read(void)
{
	BIO *bio = BIO_new_mem_buf("rubbish", -1);

	CHECK(PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) == NULL);
	BIO_free(bio);
	return 0;
}

/* The queue as the rule has it: emptied, used, emptied. */
static void use_queue(bool divide)
{
	leat_no_park_begin();
	CHECK_EQ(ERR_peek_error(), 0); /* nobody has left one behind */
	ERR_clear_error();
	if (divide) {
		CHECK_EQ(ERR_GET_REASON(ERR_peek_last_error()), 0);
		CHECK_EQ(fail_to_divide(), ERR_GET_REASON(ERR_peek_last_error()));
		CHECK_EQ(ERR_GET_LIB(ERR_peek_error()), ERR_LIB_BN);
	} else {
		fail_to_read();
		CHECK(ERR_peek_error() != 0);
		CHECK(ERR_GET_LIB(ERR_peek_error()) != ERR_LIB_BN);
	}
	ERR_clear_error();
	leat_no_park_end();
}

LEAT_TASK(user, (bool, divide))
{
	for (int i = 0; i < ROUNDS; i++) {
		use_queue(divide);
		CHECK_EQ(leat_yield(), 0);
	}
}

TEST_WITH(queue_between_two_parks, .workers = 4)
{
	leat_group group;

	REQUIRE(leat_group_init(&group, NULL) == 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(leat_go_in(&group, user, i % 2 == 0), 0);
	CHECK_EQ(leat_group_wait(&group), 0);
	leat_group_release(&group);
}

/* Why: an error that is left behind is the next task's. */
static void check_queue(void *arg)
{
	(void)arg;
	CHECK_EQ(ERR_GET_REASON(ERR_get_error()), BN_R_DIV_BY_ZERO);
	ERR_clear_error();
}

TEST_WITH(queue_does_not_move_along, .workers = 2)
{
	struct elsewhere e;

	ERR_clear_error();
	fail_to_divide();
	go_elsewhere(&e, check_queue, NULL);
	CHECK_EQ(ERR_peek_error(), 0);
	go_elsewhere_end(&e);
}
