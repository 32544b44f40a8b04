package cluster

import (
	"os"
	"strings"
)

// bootID names the boot of the machine; "" where that is unknown.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
