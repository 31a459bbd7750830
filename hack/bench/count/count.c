/* A plugin for QEMU's user emulation, interface version 1: it adds up the instructions of the emulated program in a file of eight
 * bytes that others may read meanwhile. The sum is exact while one thread runs at a time (GOMAXPROCS=1). The few declarations that it
 * needs stand here, so that no header of QEMU's is needed. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct qemu_plugin_tb;
typedef void translated(uint64_t id, struct qemu_plugin_tb *block);
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated *callback);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *to, uint64_t number);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

int qemu_plugin_version = 1;

static uint64_t *sum;

static void count(uint64_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0 /* add */, sum, qemu_plugin_tb_n_insns(block));
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
  (void)info;
  if (argc != 1 || strncmp(argv[0], "sum=", 4) != 0) return 1;
  int file = open(argv[0] + 4, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || ftruncate(file, sizeof *sum) != 0) return 1;
  sum = mmap(NULL, sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (sum == MAP_FAILED) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, count);
  return 0;
}
