/* One GPU, as NVIDIA's management library would tell of it: 93 % busy, 4 of 16 GB used, 210 W. */
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned int gpu, memory; } Utilisation;

int nvmlInitWithFlags(unsigned int flags) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "not supported"; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **card) { *card = (void *)1; return 0; }
int nvmlDeviceGetName(void *card, char *name, unsigned int length) {
    const char *told = "Test GPU";
    for (int i = 0; (name[i] = told[i]); i++) {}
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *card, Memory *memory) {
    memory->total = 16000000000ull, memory->used = 4000000000ull, memory->free = 12000000000ull;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *card, Utilisation *rates) { rates->gpu = 93, rates->memory = 40; return 0; }
#ifdef NO_POWER
int nvmlDeviceGetPowerUsage(void *card, unsigned int *milliwatts) { return 3; }
#else
int nvmlDeviceGetPowerUsage(void *card, unsigned int *milliwatts) { *milliwatts = 210000; return 0; }
#endif
