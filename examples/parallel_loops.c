/*
 * Parallel loops: the rows of a picture of the Mandelbrot set by leat_parallel_for, which shares
 * them out by the time they take; how much of it is inside by leat_parallel_reduce.
 */
#include <stdio.h>
#include <leat/leat.h>

enum { WIDTH = 72, HEIGHT = 24, LIMIT = 500 };

struct picture {
	char row[HEIGHT][WIDTH + 1];
};

static int steps_at(double x, double y)
{
	double a = 0, b = 0;
	int steps = 0;

	while (a * a + b * b <= 4 && steps < LIMIT) {
		double next = a * a - b * b + x;

		b = 2 * a * b + y;
		a = next;
		steps++;
	}
	return steps;
}

static int draw(struct picture *picture, size_t from, size_t to)
{
	for (size_t y = from; y < to; y++)
		for (size_t x = 0; x < WIDTH; x++) {
			int steps = steps_at(-2.1 + 3.0 * (double)x / WIDTH,
					     -1.15 + 2.3 * (double)y / HEIGHT);

			picture->row[y][x] = steps == LIMIT ? '#' : steps > 9 ? '+' : '.';
		}
	return 0;
}

static int count(const struct picture *picture, size_t from, size_t to, long *sum)
{
	for (size_t y = from; y < to; y++)
		for (size_t x = 0; x < WIDTH; x++)
			*sum += picture->row[y][x] == '#';
	return 0;
}

static void add(long *sum, long *next)
{
	*sum += *next;
}

LEAT_MAIN()
{
	struct picture picture = { 0 };
	long inside = 0;
	int r = leat_parallel_for(HEIGHT, draw, &picture);

	if (r == 0)
		r = leat_parallel_reduce(HEIGHT, count, add, &picture, &inside);
	for (int y = 0; y < HEIGHT; y++)
		printf("%s\n", picture.row[y]);
	printf("%ld of %d inside\n", inside, WIDTH * HEIGHT);
	return r < 0;
}
