"""SMS and voice through a web gateway: `render` is pure, `deliver` posts, `fake` is a gateway for tests."""
