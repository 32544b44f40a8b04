package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"strongroom/blobstore/object"

	"github.com/minio/minio-go/v7"
)

var (
	// ErrNoBucket says that the bucket is not there.
	ErrNoBucket = errors.New("there is no such bucket")
	// ErrDenied says that the store does not let these credentials do it.
	ErrDenied = errors.New("the store does not allow it")
	// ErrVersioned says that the bucket keeps older versions, so that nothing can be
	// erased in it.
	ErrVersioned = errors.New("the bucket keeps versions")
)

// answers reports whether err is one of those that are an answer.
func answers(err error) bool {
	return errors.Is(err, object.ErrNotFound) || errors.Is(err, object.ErrExists) || errors.Is(err, object.ErrChanged)
}

// missing reports whether the store itself said that the object is not there. Any
// 404 that does not say so may come from whatever stands between: a proxy, or a
// server of something else.
func (c *call) missing(err error) bool {
	return c.status == http.StatusNotFound && minio.ToErrorResponse(err).Code == minio.NoSuchKey && bytes.Contains(c.says, []byte("<Code>"+minio.NoSuchKey+"</Code>"))
}

// putError is failed for a Put with a condition.
func (c *Client) putError(call *call, verb, key string, cond object.Condition, err error) error {
	refused := call.status == http.StatusPreconditionFailed
	switch {
	case refused && cond.Absent:
		return fmt.Errorf("%s in %s: %w", key, c, object.ErrExists)
	// An ETag that nothing has any more is a 404 at AWS.
	case (refused || call.missing(err)) && cond.Match != "":
		return fmt.Errorf("%s in %s: %w", key, c, object.ErrChanged)
	}
	return c.failed(call, verb, key, err)
}

// failed says what err means. It is ErrNotFound only if the store said that; what is
// neither that nor a refused condition says nothing of what has been done.
func (c *Client) failed(call *call, verb, key string, err error) error {
	answer := minio.ToErrorResponse(err)
	switch {
	case call.missing(err):
		return fmt.Errorf("%s in %s: %w", key, c, object.ErrNotFound)
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case call.status == 0:
		return fmt.Errorf("%s %s in %s: the store was not reached: %w", verb, key, c, err)
	case answer.Code == minio.NoSuchBucket:
		return fmt.Errorf("%w: %s: make it, or name another", ErrNoBucket, c.bucket)
	}
	if advice := advice[answer.Code]; advice != "" {
		return fmt.Errorf("%s %s in %s: %w: %s (%s)", verb, key, c, ErrDenied, advice, answer.Code)
	}
	if region := answer.Region; region != "" && (call.status == http.StatusMovedPermanently || call.status == http.StatusBadRequest) {
		return fmt.Errorf("%s %s in %s: the bucket is in %s: set AWS_REGION to that (%s)", verb, key, c, region, answer.Code)
	}
	if c.checksums && (call.status == http.StatusBadRequest || call.status == http.StatusNotImplemented) && strings.Contains(strings.ToLower(answer.Code+answer.Message), "checksum") {
		return fmt.Errorf("%s %s in %s: the store answers %d %s: %w; if it knows no checksums, set AWS_REQUEST_CHECKSUM_CALCULATION=when_required", verb, key, c, call.status, answer.Code, err)
	}
	return fmt.Errorf("%s %s in %s: the store answers %d %s: %w", verb, key, c, call.status, answer.Code, err)
}

var advice = map[string]string{
	minio.AccessDenied:      "the credentials need to read, write, delete and list below the prefix, and to read the bucket's versioning",
	"AllAccessDisabled":     "the bucket is closed to everybody",
	"InvalidAccessKeyId":    "the store does not know AWS_ACCESS_KEY_ID",
	"SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is not that of AWS_ACCESS_KEY_ID, or something between changes the requests",
	"ExpiredToken":          "the session's credentials have run out",
	"InvalidToken":          "AWS_SESSION_TOKEN is not that of the keys",
	"RequestTimeTooSkewed":  "the clock of this machine differs from the store's by more than a quarter of an hour: set it",
}
