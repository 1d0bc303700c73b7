#include "patterns/siphash.h"

#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void round_of(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static void word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	round_of(s);
	s->v0 ^= m;
}

uint64_t leat__siphash(const uint64_t secret[2], const void *data, size_t size)
{
	struct sip s = { secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
			 secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573 };
	const unsigned char *p = data;
	uint64_t m, last = (uint64_t)size << 56;
	size_t left;

	for (left = size; left >= sizeof(m); left -= sizeof(m), p += sizeof(m)) {
		memcpy(&m, p, sizeof(m));
		word(&s, m);
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	word(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		round_of(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
