/*
 * The mixer of the test sound card: an ALSA CTL type "controls" with a volume of 0 to 63, which are -63 to 0 dB, and a switch.
 *
 *   ctl.NAME {
 *     type controls
 *     element "Sidetone"    its controls are "Sidetone Playback Volume" and "Sidetone Playback Switch"; absent: a card without any
 *     state "FILE"          holds volume and switch as text, "20 1", and is read and written each time
 *   }
 */
#include <alsa/asoundlib.h>
#include <alsa/control_external.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct controls { snd_ctl_ext_t ext; char *element, *state; };

static const unsigned int scale[] = { SND_CTL_TLVT_DB_SCALE, 2 * sizeof(unsigned int), (unsigned int)-6300, 100 };

static int load(const struct controls *c, long value[2])
{
	FILE *f = fopen(c->state, "r");
	value[0] = value[1] = 0;
	if (f == NULL)
		return -ENODEV;
	if (fscanf(f, "%ld %ld", &value[0], &value[1]) != 2)
		value[0] = value[1] = 0;
	fclose(f);
	return 0;
}

static int elem_count(snd_ctl_ext_t *ext)
{
	struct controls *c = ext->private_data;
	return c->element == NULL ? 0 : 2;
}

static int elem_list(snd_ctl_ext_t *ext, unsigned int offset, snd_ctl_elem_id_t *id)
{
	struct controls *c = ext->private_data;
	char name[44];
	snprintf(name, sizeof name, "%.24s Playback %s", c->element, offset == 0 ? "Volume" : "Switch");
	snd_ctl_elem_id_set_interface(id, SND_CTL_ELEM_IFACE_MIXER);
	snd_ctl_elem_id_set_name(id, name);
	return 0;
}

static snd_ctl_ext_key_t find_elem(snd_ctl_ext_t *ext, const snd_ctl_elem_id_t *id)
{
	struct controls *c = ext->private_data;
	const char *name = snd_ctl_elem_id_get_name(id);
	size_t length = c->element == NULL ? 0 : strlen(c->element);
	if (length == 0 || strncmp(name, c->element, length) != 0)
		return SND_CTL_EXT_KEY_NOT_FOUND;
	return strstr(name, "Volume") != NULL ? 0 : 1;
}

static int get_attribute(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, int *type, unsigned int *acc, unsigned int *count)
{
	(void)ext;
	*type = key == 0 ? SND_CTL_ELEM_TYPE_INTEGER : SND_CTL_ELEM_TYPE_BOOLEAN;
	*acc = SND_CTL_EXT_ACCESS_READWRITE | (key == 0 ? SND_CTL_EXT_ACCESS_TLV_READ : 0);
	*count = 1;
	return 0;
}

static int get_integer_info(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *least, long *most, long *step)
{
	(void)ext;
	*least = 0;
	*most = key == 0 ? 63 : 1;
	*step = 1;
	return 0;
}

static int read_integer(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
	long both[2];
	int code = load(ext->private_data, both);
	*value = both[key];
	return code;
}

static int write_integer(snd_ctl_ext_t *ext, snd_ctl_ext_key_t key, long *value)
{
	struct controls *c = ext->private_data;
	long both[2];
	int code = load(c, both);
	FILE *f;
	if (code < 0 || both[key] == *value)
		return code;
	both[key] = *value;
	if ((f = fopen(c->state, "w")) == NULL)
		return -EIO;
	fprintf(f, "%ld %ld\n", both[0], both[1]);
	fclose(f);
	return 1;
}

static int read_event(snd_ctl_ext_t *ext, snd_ctl_elem_id_t *id, unsigned int *mask)
{
	(void)ext, (void)id, (void)mask;
	return -EAGAIN;
}

static void close_controls(snd_ctl_ext_t *ext)
{
	struct controls *c = ext->private_data;
	free(c->element);
	free(c->state);
	free(c);
}

static const snd_ctl_ext_callback_t callbacks = {
	.close = close_controls, .elem_count = elem_count, .elem_list = elem_list, .find_elem = find_elem, .get_attribute = get_attribute,
	.get_integer_info = get_integer_info, .read_integer = read_integer, .write_integer = write_integer, .read_event = read_event,
};

SND_CTL_PLUGIN_DEFINE_FUNC(controls)
{
	snd_config_iterator_t i, next;
	const char *element = NULL, *state = NULL;
	struct controls *c;
	int code;
	(void)root;

	snd_config_for_each(i, next, conf) {
		snd_config_t *n = snd_config_iterator_entry(i);
		const char *id;
		if (snd_config_get_id(n, &id) < 0 || !strcmp(id, "type") || !strcmp(id, "comment") || !strcmp(id, "hint"))
			continue;
		if (!strcmp(id, "element")) code = snd_config_get_string(n, &element);
		else if (!strcmp(id, "state")) code = snd_config_get_string(n, &state);
		else code = -EINVAL;
		if (code < 0)
			return code;
	}
	if (state == NULL || (c = calloc(1, sizeof *c)) == NULL)
		return -EINVAL;
	c->element = element == NULL ? NULL : strdup(element);
	c->state = strdup(state);
	c->ext.version = SND_CTL_EXT_VERSION;
	c->ext.card_idx = 0;
	strcpy(c->ext.id, "test");
	strcpy(c->ext.driver, "Offhook test");
	strcpy(c->ext.name, "Offhook test card");
	strcpy(c->ext.mixername, "Offhook test mixer");
	c->ext.poll_fd = -1;
	c->ext.callback = &callbacks;
	c->ext.tlv.p = scale;
	c->ext.private_data = c;
	code = snd_ctl_ext_create(&c->ext, name, mode);
	if (code < 0) {
		close_controls(&c->ext);
		return code;
	}
	*handlep = c->ext.handle;
	return 0;
}

SND_CTL_PLUGIN_SYMBOL(controls);
