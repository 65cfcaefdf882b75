import { Select } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { ownZone, zones } from '../time/zone';
import styles from './ZoneSelect.module.css';

/** The zone that times are shown in. It stands in the address, so that a link shows the same times. */
export function ZoneSelect({ zone }: { zone: string }) {
  const navigate = useNavigate();
  return (
    <Select
      aria-label="Zone"
      className={styles.zone}
      size="xs"
      searchable
      limit={60}
      data={zones.includes(zone) ? zones : [zone, ...zones]}
      value={zone}
      allowDeselect={false}
      nothingFoundMessage="No such zone"
      comboboxProps={{ width: 260, position: 'bottom-end' }}
      onChange={(tz) => {
        // A link to the reader's own zone is of use to others, too: it is written down once it was chosen.
        navigate({ to: '.', search: (now) => ({ ...now, tz: tz ?? ownZone }) });
      }}
    />
  );
}
