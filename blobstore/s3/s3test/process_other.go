//go:build !linux

package s3test

import (
	"errors"
	"os"
	"os/exec"
)

func pause(*os.Process) error  { return errors.ErrUnsupported }
func resume(*os.Process) error { return errors.ErrUnsupported }

func dieWithParent(*exec.Cmd) {}
