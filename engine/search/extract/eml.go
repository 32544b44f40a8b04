package extract

import "io"

func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return decoded(b, "text/plain; charset="+charset), nil
}
