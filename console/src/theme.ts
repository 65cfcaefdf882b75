import { createTheme, localStorageColorSchemeManager, Tooltip } from '@mantine/core';

/** Sizes are those of a dense page; colours are in theme.css. */
export const theme = createTheme({
  primaryColor: 'indigo',
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: { Tooltip: Tooltip.extend({ defaultProps: { openDelay: 400, multiline: true, maw: 480 } }) },
});

export const schemes = localStorageColorSchemeManager({ key: 'api-sessions-colours' });
