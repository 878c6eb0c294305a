/* stamp PORT COUNT: prints, for each of COUNT datagrams on 127.0.0.1:PORT, when the kernel took it (ns), and its RTP sequence number. The kernel
 * stamps a datagram on loopback in the turn of its sender, so that the measure does not depend on when this program gets its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

int main(int argc, char **argv) {
  if (argc != 3) { fputs("stamp PORT COUNT\n", stderr); return 2; }
  int count = atoi(argv[2]), on = 1, room = 1 << 20, s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (bind(s, (struct sockaddr *)&here, sizeof here)) { perror("bind"); return 1; }
  for (int i = 0; i < count; i++) {
    unsigned char bytes[2048], words[256];
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = words, .msg_controllen = sizeof words };
    if (recvmsg(s, &m, 0) < 12) continue;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS) continue;
      struct timespec *t = (struct timespec *)CMSG_DATA(c);
      printf("%lld%09ld %d\n", (long long)t->tv_sec, t->tv_nsec, bytes[2] << 8 | bytes[3]);
    }
  }
  return 0;
}
