package device

import (
	"os"
	"strings"
)

// hugePagesFile says when Linux uses transparent huge pages: "always [madvise] never", the choice in brackets.
const hugePagesFile = "/sys/kernel/mm/transparent_hugepage/enabled"

// HugePageAdvice says how programs on the host's processor get huge pages, which make them faster. It is empty if they
// have them already, if the system offers none, on GPUs and on the Go backend. See graph/pjrt/README.md.
func (d *Device) HugePageAdvice() string {
	if d.client == nil || d.platform != PlatformCPU {
		return ""
	}
	setting, _ := os.ReadFile(hugePagesFile) // there is none on other systems than Linux
	return adviseHugePages(string(setting), os.Getenv("GLIBC_TUNABLES"))
}

func adviseHugePages(setting, tunables string) string {
	if !strings.Contains(setting, "[madvise]") || strings.Contains(tunables, "glibc.malloc.hugetlb=") {
		return ""
	}
	return "start bfpo with GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in the environment for faster training"
}
