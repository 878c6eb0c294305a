/*
 * A sound card in software: an ALSA PCM type "clocked" that keeps true time and runs dry when it is served late.
 *
 *   playback --write--> [ ring file: what is in the air at each instant ] --read--> capture
 *
 * A ring file holds one sample for each instant: sample n of the stream sounds at CLOCK_MONOTONIC = n / rate seconds and lies in slot
 * n modulo the number of slots. A playback PCM puts its sound there, a capture PCM takes it out (and leaves silence). Two PCMs with one
 * file are a cable; a test that reads and writes the file itself is an ear and a mouth (see card.ts).
 *
 * Layout of the file, little endian: u32 magic, u32 slots, u32 rate of the PCM opened last, u32 unused, 48 bytes unused, then the
 * slots of 16 bits.
 *
 *   pcm.NAME {
 *     type clocked
 *     capture "FILE"     ring that its microphone hears; made by card.ts
 *     playback "FILE"    ring that its earpiece speaks into; may be the same
 *     trouble "FILE"     while it exists the card fails: with the error number in it, or ENODEV (unplugged) when empty
 *     rate 48000         only this rate          channels 2   only this many channels     (0 or absent: any)
 *     ppm 100            its clock runs fast     lump 1024    its position moves in steps of so many frames
 *     wide 1             only 32-bit samples (wide 2: only 24-bit ones packed into three bytes)
 *   }
 */
#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x4b434c43u
#define HEAD_BYTES 64

struct head { uint32_t magic, slots, rate; };

struct card {
	snd_pcm_ioplug_t io;
	int fd;
	struct head *head;
	int16_t *slots;
	size_t mapped;
	char *trouble;
	long ppm, lump;
	int running;
	double start_s;             /* when the card was started */
	uint64_t first;             /* sample of the ring that frame 0 is */
	uint64_t done;              /* playback: frames that the program has written; capture: those it has done with */
	int16_t *early;             /* playback before the start, mono */
};

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* 0, or the error the card is to fail with. */
static int trouble(const struct card *c)
{
	char text[16] = "";
	int fd, code;
	if (c->trouble == NULL || (fd = open(c->trouble, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = 0;
	close(fd);
	code = atoi(text);
	return code > 0 ? -code : -ENODEV;
}

static double speed(const struct card *c)
{
	return 1 + c->ppm / 1e6;
}

/* The slot in which frame `frame` of this card sounds. */
static int16_t *slot(struct card *c, uint64_t frame)
{
	return &c->slots[(c->first + (uint64_t)(frame / speed(c))) % c->head->slots];
}

/* Frames that the card's clock has passed. */
static uint64_t passed(struct card *c)
{
	uint64_t frames = (uint64_t)((now_s() - c->start_s) * c->io.rate * speed(c));
	return c->lump > 0 ? frames - frames % c->lump : frames;
}

static int card_start(snd_pcm_ioplug_t *io)
{
	struct card *c = io->private_data;
	struct itimerspec beat = { 0 };
	long ns = (long)(1e9 * io->period_size / io->rate);
	c->start_s = now_s();
	c->first = (uint64_t)(c->start_s * io->rate);
	c->running = 1;
	if (io->stream == SND_PCM_STREAM_PLAYBACK)
		for (uint64_t i = 0; i < c->done; i++)
			*slot(c, i) = c->early[i];
	beat.it_interval.tv_sec = beat.it_value.tv_sec = ns / 1000000000;
	beat.it_interval.tv_nsec = beat.it_value.tv_nsec = ns % 1000000000;
	timerfd_settime(io->poll_fd, 0, &beat, NULL);
	return 0;
}

static int card_stop(snd_pcm_ioplug_t *io)
{
	struct card *c = io->private_data;
	struct itimerspec none = { 0 };
	if (c->running && io->stream == SND_PCM_STREAM_PLAYBACK)
		for (uint64_t i = passed(c); i < c->done; i++)
			*slot(c, i) = 0; /* what was not played is never heard */
	c->running = 0;
	timerfd_settime(io->poll_fd, 0, &none, NULL);
	return 0;
}

static snd_pcm_sframes_t card_pointer(snd_pcm_ioplug_t *io)
{
	struct card *c = io->private_data;
	uint64_t at, beats;
	int code = trouble(c);
	if (code < 0) {
		snd_pcm_ioplug_set_state(io, SND_PCM_STATE_DISCONNECTED);
		return code;
	}
	if (!c->running)
		return 0;
	if (read(io->poll_fd, &beats, sizeof beats) < 0 && errno != EAGAIN)
		return -errno;
	at = passed(c);
	if (io->stream == SND_PCM_STREAM_PLAYBACK ? at > io->appl_ptr : at > io->appl_ptr + io->buffer_size)
		return -EPIPE;
	return at % io->buffer_size;
}

static int16_t take(const snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *a, snd_pcm_uframes_t at)
{
	const char *p = (const char *)a->addr + (a->first + at * a->step) / 8;
	int16_t sample;
	memcpy(&sample, p + snd_pcm_format_physical_width(io->format) / 8 - 2, sizeof sample); /* the upper bits are the last bytes */
	return sample;
}

static void give(const snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *a, snd_pcm_uframes_t at, int16_t sample)
{
	char *p = (char *)a->addr + (a->first + at * a->step) / 8;
	size_t bytes = snd_pcm_format_physical_width(io->format) / 8;
	memset(p, 0, bytes);
	memcpy(p + bytes - 2, &sample, sizeof sample);
}

static snd_pcm_sframes_t card_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
	struct card *c = io->private_data;
	uint64_t at = io->appl_ptr; /* with mmap access what is not done with is asked for again */
	if (io->stream == SND_PCM_STREAM_CAPTURE) {
		for (; c->done < at; c->done++)
			*slot(c, c->done) = 0;
		for (snd_pcm_uframes_t i = 0; i < size; i++)
			for (unsigned ch = 0; ch < io->channels; ch++)
				give(io, &areas[ch], offset + i, *slot(c, at + i));
		return size;
	}
	for (snd_pcm_uframes_t i = 0; i < size; i++, at++) {
		long sum = 0;
		for (unsigned ch = 0; ch < io->channels; ch++)
			sum += take(io, &areas[ch], offset + i);
		if (c->running)
			*slot(c, at) = (int16_t)(sum / (long)io->channels);
		else if (at < io->buffer_size)
			c->early[at] = (int16_t)(sum / (long)io->channels);
	}
	c->done = at;
	return size;
}

static int card_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params)
{
	struct card *c = io->private_data;
	(void)params;
	c->head->rate = io->rate;
	free(c->early);
	c->early = calloc(io->buffer_size, sizeof *c->early);
	return c->early == NULL ? -ENOMEM : 0;
}

static int card_prepare(snd_pcm_ioplug_t *io)
{
	struct card *c = io->private_data;
	if (c->running)
		card_stop(io);
	c->done = 0;
	return trouble(c);
}

static int card_close(snd_pcm_ioplug_t *io)
{
	struct card *c = io->private_data;
	if (c->running)
		card_stop(io);
	close(io->poll_fd);
	munmap(c->head, c->mapped);
	close(c->fd); /* gives the lock back */
	free(c->early);
	free(c->trouble);
	free(c);
	return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
	.start = card_start, .stop = card_stop, .pointer = card_pointer, .transfer = card_transfer,
	.close = card_close, .hw_params = card_hw_params, .prepare = card_prepare,
};

static int map_ring(struct card *c, const char *path, snd_pcm_stream_t stream)
{
	struct stat st;
	struct flock one = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = stream == SND_PCM_STREAM_CAPTURE, .l_len = 1 };
	c->fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		return -errno;
	if (fcntl(c->fd, F_OFD_SETLK, &one) < 0) /* one program a direction, as with hardware */
		return -EBUSY;
	if (fstat(c->fd, &st) < 0 || st.st_size < HEAD_BYTES + 2)
		return -EINVAL;
	c->mapped = st.st_size;
	c->head = mmap(NULL, c->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->head == MAP_FAILED)
		return -errno;
	c->slots = (int16_t *)((char *)c->head + HEAD_BYTES);
	return c->head->magic == MAGIC && HEAD_BYTES + 2 * (uint64_t)c->head->slots <= c->mapped ? 0 : -EINVAL;
}

static int limits(snd_pcm_ioplug_t *io, long rate, long channels, int only_wide)
{
	const unsigned access[] = { SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED };
	const unsigned formats[] = { SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE, SND_PCM_FORMAT_S24_3LE };
	unsigned frame = (channels > 0 ? channels : 1) * (only_wide == 1 ? 4 : only_wide == 2 ? 3 : 2);
	int code = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, access);
	if (code >= 0)
		code = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, formats + only_wide);
	if (code >= 0)
		code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, channels > 0 ? channels : 1, channels > 0 ? channels : 2);
	if (code >= 0)
		code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, rate > 0 ? rate : 8000, rate > 0 ? rate : 48000);
	if (code >= 0)
		code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 32 * frame, 8192 * frame);
	if (code >= 0)
		code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 64);
	return code;
}

SND_PCM_PLUGIN_DEFINE_FUNC(clocked)
{
	snd_config_iterator_t i, next;
	const char *rings[2] = { NULL, NULL }, *ring, *flag = NULL;
	long rate = 0, channels = 0, ppm = 0, lump = 0, only_wide = 0;
	struct card *c;
	int code;
	(void)root;

	snd_config_for_each(i, next, conf) {
		snd_config_t *n = snd_config_iterator_entry(i);
		const char *id;
		if (snd_config_get_id(n, &id) < 0 || !strcmp(id, "type") || !strcmp(id, "comment") || !strcmp(id, "hint"))
			continue;
		if (!strcmp(id, "capture")) code = snd_config_get_string(n, &rings[SND_PCM_STREAM_CAPTURE]);
		else if (!strcmp(id, "playback")) code = snd_config_get_string(n, &rings[SND_PCM_STREAM_PLAYBACK]);
		else if (!strcmp(id, "trouble")) code = snd_config_get_string(n, &flag);
		else if (!strcmp(id, "rate")) code = snd_config_get_integer(n, &rate);
		else if (!strcmp(id, "channels")) code = snd_config_get_integer(n, &channels);
		else if (!strcmp(id, "ppm")) code = snd_config_get_integer(n, &ppm);
		else if (!strcmp(id, "lump")) code = snd_config_get_integer(n, &lump);
		else if (!strcmp(id, "wide")) code = snd_config_get_integer(n, &only_wide);
		else code = -EINVAL;
		if (code < 0)
			return code;
	}
	ring = rings[stream];
	if (only_wide < 0 || only_wide > 2)
		return -EINVAL;
	if (ring == NULL || (c = calloc(1, sizeof *c)) == NULL)
		return ring == NULL ? -ENODEV : -ENOMEM; /* a card without this direction */
	c->ppm = ppm;
	c->lump = lump;
	c->fd = -1;
	c->trouble = flag == NULL ? NULL : strdup(flag);
	c->io.version = SND_PCM_IOPLUG_VERSION;
	c->io.name = "Offhook test card";
	c->io.callback = &callbacks;
	c->io.private_data = c;
	c->io.poll_fd = -1;
	c->io.poll_events = POLLIN;
	c->io.mmap_rw = 0; /* mmap access, which the library's conversions want, goes through transfer too */
	code = trouble(c);
	if (code >= 0)
		code = map_ring(c, ring, stream);
	if (code >= 0 && (c->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0)
		code = -errno;
	if (code >= 0)
		code = snd_pcm_ioplug_create(&c->io, name, stream, mode);
	if (code < 0) {
		if (c->io.poll_fd >= 0) close(c->io.poll_fd);
		if (c->fd >= 0) close(c->fd);
		free(c->trouble);
		free(c);
		return code;
	}
	code = limits(&c->io, rate, channels, (int)only_wide);
	if (code < 0) {
		snd_pcm_ioplug_delete(&c->io); /* calls card_close */
		return code;
	}
	*pcmp = c->io.pcm;
	return 0;
}

SND_PCM_PLUGIN_SYMBOL(clocked);
